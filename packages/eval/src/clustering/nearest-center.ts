import * as tf from "@tensorflow/tfjs-core";
import { type Points, squaredDistance } from "./points.js";

/** Products of points and centres that are in memory at a time. */
const blockSize = 2 ** 22;

/**
 * The nearest of the centres for each point; the first of those that are equally near. Products of float32 decide where they can tell the
 * centres apart, and distances in float64 elsewhere: beside a far point, two near ones have the same products.
 *
 * @param centers `k x dim`
 */
export async function nearestCenters(points: Points, centers: Float64Array): Promise<Int32Array> {
  const { tensor, n, dim, squaredNorms } = points;
  const k = centers.length / dim;
  const half = Float64Array.from({ length: k }, (_, c) => {
    let sum = 0;
    for (let j = c * dim; j < (c + 1) * dim; j++) sum += centers[j] * centers[j];
    return sum / 2;
  });
  // Twice what rounding may make of a product, for a point and a centre of length 1.
  const rounding = 2 ** -22 * Math.sqrt(dim);
  const longest = Math.sqrt(2 * half.reduce((most, value) => Math.max(most, value), 0));
  const c = tf.tensor2d(Float32Array.from(centers), [k, dim]);
  const nearest = new Int32Array(n);
  const count = Math.max(1, Math.floor(blockSize / k));
  try {
    for (let start = 0; start < n; start += count) {
      const block = tf.tidy(() => {
        const part = n <= count ? tensor : tf.slice(tensor, [start, 0], [Math.min(count, n - start), -1]);
        return tf.matMul(part, c, false, true);
      });
      const products = await block.data();
      block.dispose();
      for (let row = start, at = 0; at < products.length; row++, at += k) {
        // |x - c|^2 is least where x c - |c|^2 / 2 is greatest; a score above the bar may be, since products are rounded.
        const margin = 2 * rounding * Math.sqrt(squaredNorms[row]) * longest;
        let best = 0;
        let most = products[at] - half[0];
        let bar = most - margin;
        let second = Number.NEGATIVE_INFINITY;
        for (let center = 1; center < k; center++) {
          const score = products[at + center] - half[center];
          if (score < bar) continue;
          if (score > most) {
            second = most;
            most = score;
            bar = most - margin;
            best = center;
          } else if (score > second) second = score;
        }
        nearest[row] =
          second < bar ? best : nearestOf(row, (center) => products[at + center] - half[center] >= bar);
      }
    }
  } finally {
    c.dispose();
  }
  return nearest;

  /** The nearest of the centres that may be. */
  function nearestOf(row: number, mayBe: (center: number) => boolean): number {
    let [best, least] = [0, Number.POSITIVE_INFINITY];
    for (let center = 0; center < k; center++) {
      if (!mayBe(center)) continue;
      const distance = squaredDistance(points, row, centers, center);
      if (distance < least) [best, least] = [center, distance];
    }
    return best;
  }
}
