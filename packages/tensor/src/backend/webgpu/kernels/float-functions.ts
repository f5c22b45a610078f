import { trigonometryDeclaration } from "./trigonometry.js";

/**
 * WGSL functions of float32 that keep to IEEE 754 where WGSL's own built-ins need not: WGSL lets an implementation assume that there
 * is no NaN and no infinity, and promises few digits of exp, log, atan and pow. SwiftShader's exp and log lose a NaN, and
 * llvmpipe's `atan2(0, 0)` is 3 pi / 4.
 *
 * NaN is told from numbers by its bits, since a comparison may not tell.
 */
const functions = {
  /** NaN and infinity, which WGSL has no literals for, and how to tell them from numbers. */
  isNan: {
    needs: [],
    wgsl: `
fn quietNan() -> f32 { var bits = 0x7fc00000u; return bitcast<f32>(bits); }
fn infinity() -> f32 { var bits = 0x7f800000u; return bitcast<f32>(bits); }
fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
fn isInf(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) == 0x7f800000u; }
fn withSign(size: f32, sign: f32) -> f32 {
  return bitcast<f32>((bitcast<u32>(size) & 0x7fffffffu) | (bitcast<u32>(sign) & 0x80000000u));
}
`,
  },
  /** The larger or smaller of two: NaN where one is, and 0 is larger than -0. Equal numbers have equal bits, zeros apart. */
  maximumOf: {
    needs: ["isNan"],
    wgsl: `
fn maximumOf(a: f32, b: f32) -> f32 {
  if (isNan(a) || isNan(b)) { return quietNan(); }
  if (a == b) { return bitcast<f32>(bitcast<u32>(a) & bitcast<u32>(b)); }
  return select(b, a, a > b);
}
fn minimumOf(a: f32, b: f32) -> f32 {
  if (isNan(a) || isNan(b)) { return quietNan(); }
  if (a == b) { return bitcast<f32>(bitcast<u32>(a) | bitcast<u32>(b)); }
  return select(b, a, a < b);
}`,
  },
  /** float32 to int32 as JavaScript's ToInt32: towards zero, modulo 2^32, 0 for NaN and infinities. */
  toInt32: {
    needs: ["isNan"],
    wgsl: `
fn toInt32(x: f32) -> i32 {
  if (abs(x) < 2147483648.0 && !isNan(x)) { return i32(x); }
  let bits = bitcast<u32>(x);
  let shift = ((bits >> 23u) & 0xffu) - 150u;
  // 255 - 150: an infinity or NaN. From 32 on, every bit of the low word is 0.
  if (shift >= 32u) { return 0; }
  let size = i32(((bits & 0x7fffffu) | 0x800000u) << shift);
  return select(size, -size, (bits >> 31u) == 1u);
}`,
  },
  /** exp as the hardware has it, with NaN kept. */
  fastExp: {
    needs: ["isNan"],
    wgsl: `
fn fastExp(x: f32) -> f32 { return select(exp(x), x, isNan(x)); }`,
  },
  /**
   * exp to the last bit or so, where the built-in may lose a bit for each doubling of the argument: x = n ln 2 + r, with ln 2 in
   * two parts, and a polynomial for exp(r) (Cephes, expf).
   */
  expOf: {
    needs: ["isNan"],
    wgsl: `
fn expOf(x: f32) -> f32 {
  if (isNan(x)) { return x; }
  if (x > 88.7228317) { return infinity(); }
  if (x < -103.972) { return 0.0; }
  let n = round(x * 1.44269504);
  let r = (x - n * 0.693359375) + n * 2.12194440e-4;
  let p = ((((1.9875691500e-4 * r + 1.3981999507e-3) * r + 8.3334519073e-3) * r + 4.1665795894e-2) * r
    + 1.6666665459e-1) * r + 5.0000001201e-1;
  let half = i32(n) / 2;
  return ldexp(ldexp(p * r * r + r + 1.0, half), i32(n) - half);
}`,
  },
  /** exp(x) - 1, by its series where the plain form cancels. */
  expm1Of: {
    needs: ["expOf"],
    wgsl: `
fn expm1Of(x: f32) -> f32 {
  if (isNan(x)) { return x; }
  if (abs(x) < 0.35) {
    return x * (1.0 + x / 2.0 * (1.0 + x / 3.0 * (1.0 + x / 4.0 * (1.0 + x / 5.0 * (1.0 + x / 6.0 * (1.0 + x / 7.0))))));
  }
  return expOf(x) - 1.0;
}`,
  },
  /** log to the last bit or so, next to 1 too, where the built-in may err by 5e-7: x = m 2^n, and a polynomial for log(m) (Cephes, logf). */
  logOf: {
    needs: ["isNan"],
    wgsl: `
fn logOf(x: f32) -> f32 {
  if (isNan(x) || x < 0.0) { return quietNan(); }
  if (x == 0.0) { return -infinity(); }
  if (isInf(x)) { return x; }
  let isTiny = x < 1.17549435e-38;
  let bits = bitcast<u32>(select(x, x * 33554432.0, isTiny));
  var n = f32(i32(bits >> 23u) - select(126, 151, isTiny));
  var m = bitcast<f32>((bits & 0x7fffffu) | 0x3f000000u);
  if (m < 0.70710678) { n -= 1.0; m = m + m - 1.0; } else { m -= 1.0; }
  let z = m * m;
  var y = ((((((((7.0376836292e-2 * m - 1.1514610310e-1) * m + 1.1676998740e-1) * m - 1.2420140846e-1) * m
    + 1.4249322787e-1) * m - 1.6668057665e-1) * m + 2.0000714765e-1) * m - 2.4999993993e-1) * m + 3.3333331174e-1) * m * z;
  y += -2.12194440e-4 * n;
  y += -0.5 * z;
  return m + y + 0.693359375 * n;
}`,
  },
  /** log(1 + x), by its series where the plain form cancels. */
  log1pOf: {
    needs: ["logOf"],
    wgsl: `
fn log1pOf(x: f32) -> f32 {
  if (isNan(x)) { return x; }
  if (abs(x) < 0.3) {
    let s = x / (2.0 + x);
    let q = s * s;
    return 2.0 * s * (1.0 + q * (0.33333333 + q * (0.2 + q * (0.14285714 + q * (0.11111111 + q * 0.09090909)))));
  }
  return logOf(1.0 + x);
}`,
  },
  /** a^b for every sign of a, where WGSL's pow knows positive a only, with exact squares. As IEEE 754's pow, for which 1 to any power is 1. */
  powOf: {
    needs: ["expOf", "logOf"],
    wgsl: `
fn powOf(a: f32, b: f32) -> f32 {
  if (b == 0.0 || a == 1.0 || (a == -1.0 && isInf(b))) { return 1.0; }
  if (isNan(a) || isNan(b)) { return quietNan(); }
  if (b == 1.0) { return a; }
  if (b == 2.0) { return a * a; }
  let isWhole = floor(b) == b;
  let isOdd = isWhole && abs(b - 2.0 * floor(b / 2.0)) == 1.0;
  let sign = select(1.0, a, isOdd);
  if (a == 0.0) { return withSign(select(infinity(), 0.0, b > 0.0), sign); }
  if (a < 0.0 && !isInf(a) && !isWhole) { return quietNan(); }
  let size = expOf(b * logOf(abs(a)));
  return select(withSign(size, sign), size, isNan(size));
}`,
  },
  /** tanh without overflow, and without cancellation near zero. */
  tanhOf: {
    needs: ["isNan"],
    wgsl: `
fn tanhOf(x: f32) -> f32 {
  if (isNan(x)) { return x; }
  let a = abs(x);
  if (a < 0.3) {
    let s = x * x;
    return x * (1.0 + s * (-0.33333333 + s * (0.13333333 + s * (-0.05396825 + s * (0.02186949 + s * -0.00886324)))));
  }
  let e = exp(-2.0 * min(a, 20.0));
  return sign(x) * (1.0 - e) / (1.0 + e);
}`,
  },
  /**
   * erf with a relative error of about 2e-7: the Taylor series below 1, above it 1 - erfc by the Chebyshev fit of
   * Press et al., Numerical Recipes, section 6.2.
   */
  erfOf: {
    needs: [],
    wgsl: `
fn erfOf(x: f32) -> f32 {
  let a = abs(x);
  if (a < 1.0) {
    let s = x * x;
    return x * (1.1283791671 + s * (-0.3761263890 + s * (0.1128379167 + s * (-0.0268661706 + s * (0.0052239776
      + s * (-0.0008548327 + s * (0.0001205533 + s * (-0.0000149256 + s * (0.0000016462 + s * (-1.6365e-7))))))))));
  }
  let t = 1.0 / (1.0 + 0.5 * a);
  let tail = t * exp(-a * a - 1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806
    + t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277)))))))));
  return select(tail - 1.0, 1.0 - tail, x > 0.0);
}`,
  },
  /** atan to the last bit or so (Cephes, atanf), and atan2 with IEEE 754's values at zeros and infinities. */
  atan2Of: {
    needs: ["isNan"],
    wgsl: `
fn atanOf(x: f32) -> f32 {
  if (isNan(x)) { return x; }
  let a = abs(x);
  var base = 0.0;
  var r = a;
  if (a > 2.41421356) { base = 1.57079633; r = -1.0 / a; }
  else if (a > 0.414213562) { base = 0.785398163; r = (a - 1.0) / (a + 1.0); }
  let z = r * r;
  let size = base + ((((8.05374449538e-2 * z - 1.38776856032e-1) * z + 1.99777106478e-1) * z - 3.33329491539e-1) * z * r + r);
  return withSign(size, x);
}
fn atan2Of(y: f32, x: f32) -> f32 {
  if (isNan(x) || isNan(y)) { return quietNan(); }
  var ratio = abs(y) / abs(x);
  if (y == 0.0 && x == 0.0) { ratio = 0.0; }
  if (isInf(y) && isInf(x)) { ratio = 1.0; }
  let size = atanOf(ratio);
  return withSign(select(size, 3.14159265 - size, (bitcast<u32>(x) >> 31u) == 1u), y);
}`,
  },
  /** The remainder of a truncating division, exact for every pair: C's fmod, JavaScript's `%`. Eight bits of the quotient a step. */
  fmodOf: {
    needs: ["isNan"],
    wgsl: `
fn fmodOf(a: f32, b: f32) -> f32 {
  if (isNan(a) || isNan(b) || isInf(a) || b == 0.0) { return quietNan(); }
  if (isInf(b) || abs(a) < abs(b)) { return a; }
  let bits = vec2<u32>(bitcast<u32>(a), bitcast<u32>(b)) & vec2<u32>(0x7fffffffu);
  // A subnormal has the exponent of the smallest normal, and no leading one.
  let exponents = max(bits >> vec2<u32>(23u), vec2<u32>(1u));
  let fractions = (bits & vec2<u32>(0x7fffffu)) | select(vec2<u32>(0u), vec2<u32>(0x800000u), bits >= vec2<u32>(0x800000u));
  var left = exponents.x - exponents.y;
  var rest = fractions.x % fractions.y;
  while (left > 0u) {
    let step = min(left, 8u);
    rest = (rest << step) % fractions.y;
    left -= step;
  }
  if (rest == 0u) { return withSign(0.0, a); }
  let shift = countLeadingZeros(rest) - 8u;
  if (exponents.y <= shift) { return withSign(bitcast<f32>(rest << (exponents.y - 1u)), a); }
  return withSign(bitcast<f32>(((rest << shift) & 0x7fffffu) | ((exponents.y - shift) << 23u)), a);
}`,
  },
  /** The whole part of a / b towards minus infinity, from the exact remainder: the quotient itself may round up to the next number. */
  floorQuotient: {
    needs: ["fmodOf"],
    wgsl: `
fn floorQuotient(a: f32, b: f32) -> f32 {
  if (isNan(a) || isNan(b) || isInf(a) || b == 0.0) { return quietNan(); }
  if (isInf(b)) { return 0.0; }
  let rest = fmodOf(a, b);
  let whole = round((a - rest) / b);
  return select(whole, whole - 1.0, rest != 0.0 && (rest < 0.0) != (b < 0.0));
}`,
  },
  /** numpy's mod: the remainder, plus the divisor where signs differ. */
  floorModOf: {
    needs: ["fmodOf"],
    wgsl: `
fn floorModOf(a: f32, b: f32) -> f32 {
  let rest = fmodOf(a, b);
  if (isNan(rest)) { return rest; }
  if (rest == 0.0) { return withSign(0.0, b); }
  return select(rest + b, rest, (rest < 0.0) == (b < 0.0));
}`,
  },
  /** sinOf, cosOf and tanOf. */
  trigonometry: { needs: ["isNan"], wgsl: trigonometryDeclaration },
} satisfies Record<string, { needs: readonly string[]; wgsl: string }>;

export type FloatFunction = keyof typeof functions;

/** WGSL that declares these functions, with those that they call, each once. */
export function floatFunctions(...names: readonly FloatFunction[]): string {
  const declared = new Set<FloatFunction>();
  const declare = (name: FloatFunction): string => {
    if (declared.has(name)) return "";
    const { needs, wgsl } = functions[name] as { needs: readonly FloatFunction[]; wgsl: string };
    const before = needs.map(declare).join("");
    declared.add(name);
    return before + wgsl;
  };
  return names.map(declare).join("");
}
