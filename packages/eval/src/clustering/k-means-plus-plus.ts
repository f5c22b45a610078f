import * as tf from "@tensorflow/tfjs-core";
import { integers } from "../random.js";
import { type Points, squaredDistance } from "./points.js";

/**
 * First centres of k-means, each drawn with a probability in proportion to its squared distance from those before it (Arthur &
 * Vassilvitskii 2007). Of `2 + ln k` draws the one counts that lowers the sum most, as in scikit-learn.
 *
 * @returns `clusters x dim`
 */
export async function kMeansPlusPlus(
  points: Points,
  clusters: number,
  uniform: () => number,
): Promise<Float64Array> {
  const { n, dim, data } = points;
  const centers = new Float64Array(clusters * dim);
  const take = (center: number, row: number) =>
    centers.set(data.subarray(row * dim, (row + 1) * dim), center * dim);
  const first = integers(uniform, n);
  take(0, first);
  let [nearest] = await distancesFrom(points, [first]);
  const trials = 2 + Math.floor(Math.log(clusters));
  for (let center = 1; center < clusters; center++) {
    const rows = drawRows(nearest, trials, uniform);
    const distances = await distancesFrom(points, rows);
    let best = 0;
    let least = Number.POSITIVE_INFINITY;
    for (const [trial, own] of distances.entries()) {
      let sum = 0;
      for (let i = 0; i < n; i++) {
        own[i] = Math.min(own[i], nearest[i]);
        sum += own[i];
      }
      if (sum < least) [best, least] = [trial, sum];
    }
    nearest = distances[best];
    take(center, rows[best]);
  }
  return centers;
}

/** Rows drawn in proportion to their weights; uniformly where all weights are 0, as for equal points. */
function drawRows(weights: Float64Array, count: number, uniform: () => number): number[] {
  const cumulative = new Float64Array(weights.length);
  let total = 0;
  for (let i = 0; i < weights.length; i++) {
    total += weights[i];
    cumulative[i] = total;
  }
  return Array.from({ length: count }, () => {
    if (total === 0) return integers(uniform, weights.length);
    const goal = uniform() * total;
    let [low, high] = [0, weights.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cumulative[middle] > goal) high = middle;
      else low = middle + 1;
    }
    return low;
  });
}

/** A squared distance that is a smaller share of the squared lengths loses most of its digits as a difference of products. */
const leastShare = 2 ** -14;

/** Squared distances of all points from some of them, a list for each. */
async function distancesFrom(points: Points, rows: number[]): Promise<Float64Array[]> {
  const { tensor, n, dim, data, squaredNorms } = points;
  const chosen = new Float32Array(rows.length * dim);
  for (const [i, row] of rows.entries()) chosen.set(data.subarray(row * dim, (row + 1) * dim), i * dim);
  const product = tf.tidy(() => tf.matMul(tensor, tf.tensor2d(chosen, [rows.length, dim]), false, true));
  const values = await product.data();
  product.dispose();
  // Plain loops: Float64Array.from makes garbage that costs more than the distances.
  return rows.map((row, r) => {
    const distances = new Float64Array(n);
    const center = Float64Array.from(data.subarray(row * dim, (row + 1) * dim));
    for (let i = 0; i < n; i++) {
      const squares = squaredNorms[i] + squaredNorms[row];
      const distance = squares - 2 * values[i * rows.length + r];
      distances[i] = distance < leastShare * squares ? squaredDistance(points, i, center, 0) : distance;
    }
    return distances;
  });
}
