import type * as tf from "@tensorflow/tfjs-core";
import { checkFloatTensor } from "../objectives/check-float-tensor.js";
import { featureScatter, noiseScatter, type Scatter } from "./scatter.js";

/** The two sides of Theorem 1, measured. */
export interface TheoremOne {
  features: { inner: number; inter: number };
  noises: { inner: number; inter: number };
  /** The smallest `|eps_i - eps_j| / |z_i - z_j|` over pairs of samples: `m`. */
  lower: number;
  /** The largest: `M`; Infinity where equal features have different noises. */
  upper: number;
  /** `S_inner_eps / m^2`, which `S_inner` is at most; Infinity where m is 0. */
  innerBound: number;
  /** `1 / M^2`; Infinity where all noises are equal. */
  kappa: number;
  /** `1 / m^2 - 1 / M^2`; Infinity where m is 0. */
  eta: number;
  /** `kappa S_inter_eps - eta S_inner_eps`, which `S_inter` is at least; -Infinity where m is 0. */
  interBound: number;
}

/**
 * The quantities of Theorem 1 (Han et al. 2026), which bounds how features scatter by how predicted noises do:
 *
 *     S_inner <= S_inner_eps / m^2,    S_inter >= kappa S_inter_eps - eta S_inner_eps.
 *
 * `m` and `M` are measured over all pairs of samples; one whose features and noises are equal tells nothing. Both scatters are sums of squared distances of pairs, so
 * `kappa = 1 / M^2` and `eta = 1 / m^2 - 1 / M^2` hold by `m |z_i - z_j| <= |eps_i - eps_j| <= M |z_i - z_j|`. How far a bound lies from
 * its side says how much the theorem tells about these samples.
 *
 * @param features `[n, dim]`, n >= 2 @param noises `[n, ...]`: predictions of one image and timestep with each sample's condition
 * @param labels the class of each row, `n`
 * @throws when the numbers of rows differ, where a number is not finite, and where all features are equal
 */
export async function theoremOne(
  features: tf.Tensor,
  noises: tf.Tensor,
  labels: ArrayLike<number>,
): Promise<TheoremOne> {
  checkFloatTensor("theoremOne: features", features, "[n, dim]");
  checkFloatTensor("theoremOne: noises", noises);
  const n = features.shape[0];
  if (noises.shape[0] !== n) {
    throw new Error(`theoremOne: expected noises of ${n} rows, as features have, got [${noises.shape}]`);
  }
  const [z, eps] = [await features.data(), await noises.data()];
  checkFinite("theoremOne: features", z);
  checkFinite("theoremOne: noises", eps);
  const ofFeatures = await readScatter(featureScatter(features, labels));
  const ofNoises = await readScatter(noiseScatter(noises, labels));
  let [lower, upper] = [Number.POSITIVE_INFINITY, 0];
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const [apart, noisesApart] = [distance(z, i, j, n), distance(eps, i, j, n)];
      if (apart === 0) {
        if (noisesApart > 0) upper = Number.POSITIVE_INFINITY;
        continue;
      }
      const ratio = noisesApart / apart;
      lower = Math.min(lower, ratio);
      upper = Math.max(upper, ratio);
    }
  }
  if (lower === Number.POSITIVE_INFINITY) {
    throw new Error("theoremOne: all features are equal, so no pair tells how noises follow them");
  }
  const kappa = 1 / upper ** 2;
  // Two different features with one noise have no finite ratio: the scatter of the noises does not bound that of the features.
  const tells = lower > 0;
  const eta = tells ? 1 / lower ** 2 - kappa : Number.POSITIVE_INFINITY;
  return {
    features: ofFeatures,
    noises: ofNoises,
    lower,
    upper,
    innerBound: tells ? ofNoises.inner / lower ** 2 : Number.POSITIVE_INFINITY,
    kappa,
    eta,
    interBound: tells ? kappa * ofNoises.inter - eta * ofNoises.inner : Number.NEGATIVE_INFINITY,
  };
}

function checkFinite(name: string, values: ArrayLike<number>): void {
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) throw new RangeError(`${name} must be finite, got ${values[i]} at ${i}`);
  }
}

async function readScatter({ inner, inter }: Scatter): Promise<{ inner: number; inter: number }> {
  const [[a], [b]] = [await inner.data(), await inter.data()];
  inner.dispose();
  inter.dispose();
  return { inner: a, inter: b };
}

/** Between rows i and j of `n` rows, in float64. */
function distance(x: ArrayLike<number>, i: number, j: number, n: number): number {
  const width = x.length / n;
  let sum = 0;
  for (let d = 0; d < width; d++) sum += (x[i * width + d] - x[j * width + d]) ** 2;
  return Math.sqrt(sum);
}
