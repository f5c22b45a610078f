import type { SchedulerConfig } from "./scheduler-config.js";

/** `beta_t` for t = 0..T-1: the variance of the noise that step t adds. */
export function betas(config: SchedulerConfig): Float64Array {
  const { num_train_timesteps: count, beta_start: start, beta_end: end, beta_schedule } = config;
  const at = (i: number) => (count === 1 ? 0 : i / (count - 1));
  const cosine = (t: number) => Math.cos(((t + 0.008) / 1.008) * (Math.PI / 2)) ** 2;
  // Of -6 to 6, as in GeoDiff (Xu et al. 2022).
  const sigmoid = (i: number) => 1 / (1 + Math.exp(6 - 12 * at(i)));
  const beta = {
    linear: (i: number) => start + (end - start) * at(i),
    scaled_linear: (i: number) => (Math.sqrt(start) + (Math.sqrt(end) - Math.sqrt(start)) * at(i)) ** 2,
    squaredcos_cap_v2: (i: number) => Math.min(1 - cosine((i + 1) / count) / cosine(i / count), 0.999),
    sigmoid: (i: number) => start + (end - start) * sigmoid(i),
  }[beta_schedule];
  return Float64Array.from(config.trained_betas ?? Array.from({ length: count }, (_, i) => beta(i)));
}

/**
 * `abar_t = prod_{s <= t} (1 - beta_s)` for t = 0..T-1 (Ho et al. 2020, eq. 4), accumulated in float64. With
 * `rescale_betas_zero_snr` the last one is 0 and the first keeps its value (Lin et al. 2024, algorithm 1).
 */
export function alphasCumprod(config: SchedulerConfig): Float64Array {
  let product = 1;
  const abar = betas(config).map((beta) => {
    product *= 1 - beta;
    return product;
  });
  if (!config.rescale_betas_zero_snr) return abar;
  const roots = abar.map(Math.sqrt);
  const [first, last] = [roots[0], roots[roots.length - 1]];
  if (first === last) return abar.fill(0);
  return roots.map((root) => ((root - last) * (first / (first - last))) ** 2);
}
