/** One step of AdamW: new parameter, first and second moment from the old and the gradient. */
export function adamWStep(
  size: i32,
  parameter: usize,
  gradient: usize,
  first: usize,
  second: usize,
  newParameter: usize,
  newFirst: usize,
  newSecond: usize,
  beta1: f32,
  beta2: f32,
  newShare1: f32,
  newShare2: f32,
  epsilon: f32,
  stepSize: f32,
  correction: f32,
  kept: f32,
): void {
  const bytes = <usize>4 * <usize>size;
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) {
    const g = v128.load(gradient + i);
    const m = f32x4.add(
      f32x4.mul(v128.load(first + i), f32x4.splat(beta1)),
      f32x4.mul(g, f32x4.splat(newShare1)),
    );
    const v = f32x4.add(
      f32x4.mul(v128.load(second + i), f32x4.splat(beta2)),
      f32x4.mul(f32x4.mul(g, g), f32x4.splat(newShare2)),
    );
    v128.store(newFirst + i, m);
    v128.store(newSecond + i, v);
    const denominator = f32x4.add(f32x4.div(f32x4.sqrt(v), f32x4.splat(correction)), f32x4.splat(epsilon));
    v128.store(
      newParameter + i,
      f32x4.sub(
        f32x4.mul(v128.load(parameter + i), f32x4.splat(kept)),
        f32x4.mul(f32x4.splat(stepSize), f32x4.div(m, denominator)),
      ),
    );
  }
  for (; i < bytes; i += 4) {
    const g = load<f32>(gradient + i);
    const m = load<f32>(first + i) * beta1 + g * newShare1;
    const v = load<f32>(second + i) * beta2 + g * g * newShare2;
    store<f32>(newFirst + i, m);
    store<f32>(newSecond + i, v);
    const denominator = sqrt<f32>(v) / correction + epsilon;
    store<f32>(newParameter + i, load<f32>(parameter + i) * kept - stepSize * (m / denominator));
  }
}
