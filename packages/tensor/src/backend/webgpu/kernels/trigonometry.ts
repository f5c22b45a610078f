/**
 * sin, cos and tan of any float32 to about the last bit. WGSL promises three digits for its own, and only between -pi and pi.
 *
 * Payne and Hanek's reduction: x is m 2^s with a whole m, so x * 2 / pi modulo 4 needs only those 96 bits of 2 / pi that follow
 * the weight 2^(1 - s), in integers: the first two bits of the product are the quadrant, the others the angle in it. The
 * polynomials for angles up to pi / 4 are Cephes's (sinf, cosf).
 */
export const trigonometryDeclaration = `
const twoOverPi = array<u32, 8>(0u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu);
// The low and the high word of a product.
fn wideProduct(a: u32, b: u32) -> vec2<u32> {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let first = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let second = (a & 0xffffu) * (b >> 16u) + (first & 0xffffu);
  return vec2<u32>(a * b, (a >> 16u) * (b >> 16u) + (first >> 16u) + (second >> 16u));
}
// The tail is the part of the angle that rounding drops from the rest; it matters next to a pole of the tangent.
struct Angle { quadrant: u32, rest: f32, tail: f32 }
fn angleOf(x: f32) -> Angle {
  let bits = bitcast<u32>(abs(x));
  if (bits < 0x3f490fdbu) { return Angle(0u, x, 0.0); }
  let m = (bits & 0x7fffffu) | 0x800000u;
  let start = (bits >> 23u) - 120u;
  let word = start / 32u;
  let shift = start % 32u;
  var table = twoOverPi;
  var window: array<u32, 3>;
  for (var i = 0u; i < 3u; i++) {
    window[i] = table[word + i] << shift;
    if (shift > 0u) { window[i] |= table[word + i + 1u] >> (32u - shift); }
  }
  let third = wideProduct(m, window[2]);
  let second = wideProduct(m, window[1]);
  let middle = second.x + third.y;
  let top = m * window[0] + second.y + select(0u, 1u, middle < third.y);
  var quadrant = top >> 30u;
  var high = (top << 2u) | (middle >> 30u);
  var low = middle << 2u;
  // To the nearer axis, so that the rest is at most pi / 4.
  let beyond = (high >> 31u) == 1u;
  if (beyond) {
    quadrant += 1u;
    high = ~high;
    low = ~low;
  }
  let zeros = min(countLeadingZeros(high), 31u);
  if (zeros > 0u) { high = (high << zeros) | (low >> (32u - zeros)); }
  // 0xc90fdaa2 is pi / 2 times 2^31.
  let whole = wideProduct(high, 0xc90fdaa2u).y;
  let rounded = f32(whole);
  let sign = select(1.0, -1.0, beyond != (x < 0.0));
  let rest = sign * ldexp(rounded, -31 - i32(zeros));
  let tail = sign * ldexp(f32(i32(whole - u32(rounded))), -31 - i32(zeros));
  return Angle(select(quadrant, 4u - quadrant, x < 0.0) & 3u, rest, tail);
}
fn sinNear(r: f32) -> f32 {
  let z = r * r;
  return ((-1.9515295891e-4 * z + 8.3321608736e-3) * z - 1.6666654611e-1) * z * r + r;
}
fn cosNear(r: f32) -> f32 {
  let z = r * r;
  return ((2.443315711809948e-5 * z - 1.388731625493765e-3) * z + 4.166664568298827e-2) * z * z - 0.5 * z + 1.0;
}
fn sinOf(x: f32) -> f32 {
  if (isNan(x) || isInf(x)) { return quietNan(); }
  if (abs(x) < 1e-4) { return x; }
  let angle = angleOf(x);
  let size = select(sinNear(angle.rest), cosNear(angle.rest), (angle.quadrant & 1u) == 1u);
  return select(size, -size, angle.quadrant >= 2u);
}
fn cosOf(x: f32) -> f32 {
  if (isNan(x) || isInf(x)) { return quietNan(); }
  let angle = angleOf(x);
  let size = select(cosNear(angle.rest), sinNear(angle.rest), (angle.quadrant & 1u) == 1u);
  return select(size, -size, angle.quadrant == 1u || angle.quadrant == 2u);
}
fn tanOf(x: f32) -> f32 {
  if (isNan(x) || isInf(x)) { return quietNan(); }
  if (abs(x) < 1e-4) { return x; }
  let angle = angleOf(x);
  let tangent = sinNear(angle.rest) / cosNear(angle.rest);
  if ((angle.quadrant & 1u) == 0u) { return tangent + angle.tail; }
  let cotangent = 1.0 / tangent;
  return (1.0 + cotangent * cotangent) * angle.tail - cotangent;
}`;
