import { exp4, sigmoid4 } from "./exp";

/**
 * erf by Abramowitz and Stegun's form 7.1.26 is too coarse for float32; this is the rational approximation of
 * Eigen and XLA, x * P(x^2) / Q(x^2) on [-4, 4], within a few units in the last place.
 */
// @ts-expect-error: decorator
@inline
function erf4(value: v128): v128 {
  const x = f32x4.min(f32x4.max(value, f32x4.splat(-4)), f32x4.splat(4));
  const s = f32x4.mul(x, x);
  let p = f32x4.splat(-2.72614225801306e-10);
  p = f32x4.add(f32x4.mul(p, s), f32x4.splat(2.77068142495902e-8));
  p = f32x4.add(f32x4.mul(p, s), f32x4.splat(-2.10102402082508e-6));
  p = f32x4.add(f32x4.mul(p, s), f32x4.splat(-5.69250639462346e-5));
  p = f32x4.add(f32x4.mul(p, s), f32x4.splat(-7.34990630326855e-4));
  p = f32x4.add(f32x4.mul(p, s), f32x4.splat(-2.954600241e-3));
  p = f32x4.add(f32x4.mul(p, s), f32x4.splat(-1.60960333262415e-2));
  let q = f32x4.splat(-1.45660718464996e-5);
  q = f32x4.add(f32x4.mul(q, s), f32x4.splat(-2.13374055278905e-4));
  q = f32x4.add(f32x4.mul(q, s), f32x4.splat(-1.68282697438203e-3));
  q = f32x4.add(f32x4.mul(q, s), f32x4.splat(-7.37332916720468e-3));
  q = f32x4.add(f32x4.mul(q, s), f32x4.splat(-1.42647390514189e-2));
  return f32x4.div(f32x4.mul(x, p), q);
}

// @ts-expect-error: decorator
@inline
function curve(code: i32, x: v128): v128 {
  const half = f32x4.splat(0.5);
  const one = f32x4.splat(1);
  if (code == 0) return exp4(x);
  if (code == 1) return erf4(x);
  if (code == 2) return f32x4.mul(x, sigmoid4(x));
  if (code == 3) return f32x4.mul(x, sigmoid4(f32x4.mul(x, f32x4.splat(1.702))));
  if (code == 4) return f32x4.mul(f32x4.mul(x, half), f32x4.add(one, erf4(f32x4.mul(x, f32x4.splat(0.70710678118)))));
  // gelu-tanh: 0.5 (1 + tanh u) = sigmoid(2 u)
  const u = f32x4.mul(x, f32x4.add(f32x4.splat(1.5957691216), f32x4.mul(f32x4.splat(0.0713548163), f32x4.mul(x, x))));
  return f32x4.mul(x, sigmoid4(u));
}

// @ts-expect-error: decorator
@inline
function slope(code: i32, argument: v128): v128 {
  // Further out the slope is 0 or 1, and products of infinity and 0 would make it NaN.
  const x = f32x4.min(f32x4.max(argument, f32x4.splat(-120)), f32x4.splat(120));
  const half = f32x4.splat(0.5);
  const one = f32x4.splat(1);
  if (code == 4) {
    const cdf = f32x4.mul(half, f32x4.add(one, erf4(f32x4.mul(x, f32x4.splat(0.70710678118)))));
    const density = f32x4.mul(exp4(f32x4.mul(f32x4.mul(x, x), f32x4.splat(-0.5))), f32x4.splat(0.3989422804));
    return f32x4.add(cdf, f32x4.mul(x, density));
  }
  let u = x;
  let du = one;
  if (code == 3) {
    du = f32x4.splat(1.702);
    u = f32x4.mul(x, du);
  } else if (code == 5) {
    const s = f32x4.mul(x, x);
    u = f32x4.mul(x, f32x4.add(f32x4.splat(1.5957691216), f32x4.mul(f32x4.splat(0.0713548163), s)));
    du = f32x4.add(f32x4.splat(1.5957691216), f32x4.mul(f32x4.splat(0.2140644488), s));
  }
  const gate = sigmoid4(u);
  return f32x4.mul(gate, f32x4.add(one, f32x4.mul(f32x4.mul(x, du), f32x4.sub(one, gate))));
}

/** y = f(x). Codes: 0 exp, 1 erf, 2 silu, 3 gelu quick, 4 gelu erf, 5 gelu tanh. */
export function unary(code: i32, size: i32, x: usize, y: usize): void {
  let i: usize = 0;
  const bytes = <usize>4 * <usize>size;
  for (; i + 16 <= bytes; i += 16) v128.store(y + i, curve(code, v128.load(x + i)));
  for (; i < bytes; i += 4) store<f32>(y + i, f32x4.extract_lane(curve(code, f32x4.splat(load<f32>(x + i))), 0));
}

/** dx = dy * f'(x) for codes 2 to 5. */
export function unaryGradient(code: i32, size: i32, x: usize, dy: usize, dx: usize): void {
  let i: usize = 0;
  const bytes = <usize>4 * <usize>size;
  for (; i + 16 <= bytes; i += 16) {
    v128.store(dx + i, f32x4.mul(v128.load(dy + i), slope(code, v128.load(x + i))));
  }
  for (; i < bytes; i += 4) {
    store<f32>(dx + i, load<f32>(dy + i) * f32x4.extract_lane(slope(code, f32x4.splat(load<f32>(x + i))), 0));
  }
}

/** y = min(max(x, low), high), NaN kept. */
export function clip(size: i32, x: usize, y: usize, low: f32, high: f32): void {
  const bytes = <usize>4 * <usize>size;
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) {
    v128.store(y + i, f32x4.min(f32x4.max(v128.load(x + i), f32x4.splat(low)), f32x4.splat(high)));
  }
  for (; i < bytes; i += 4) store<f32>(y + i, min<f32>(max<f32>(load<f32>(x + i), low), high));
}

/** y = max(a, b) or, where `least`, min(a, b): NaN where either is. `step` is 0 for a b that is one number, else 1. */
export function extremum(least: bool, size: i32, step: i32, a: usize, b: usize, y: usize): void {
  const bytes = <usize>4 * <usize>size;
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) {
    const p = v128.load(a + i);
    const q = step == 0 ? v128.load32_splat(b) : v128.load(b + i);
    v128.store(y + i, least ? f32x4.min(p, q) : f32x4.max(p, q));
  }
  for (; i < bytes; i += 4) {
    const p = load<f32>(a + i);
    const q = load<f32>(step == 0 ? b : b + i);
    store<f32>(y + i, least ? min<f32>(p, q) : max<f32>(p, q));
  }
}

/** Whether one of the floats is NaN or infinite: then its difference from itself is NaN. */
export function hasNonFinite(size: i32, x: usize): bool {
  const bytes = <usize>4 * <usize>size;
  let odd = i32x4.splat(0);
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) {
    const v = v128.load(x + i);
    const d = f32x4.sub(v, v);
    odd = v128.or(odd, f32x4.ne(d, d));
  }
  for (; i < bytes; i += 4) {
    const v = load<f32>(x + i);
    if (v - v != 0) return true;
  }
  return v128.any_true(odd);
}
