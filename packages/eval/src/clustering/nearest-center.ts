import * as tf from "@tensorflow/tfjs-core";
import { type Points, squaredDistance } from "./points.js";

/** Products of points and centres that are in memory at a time. */
const blockSize = 2 ** 22;

/** Where the nearest centre by products is farther than another by more than this share of its squared distance, the other counts. */
const leastGain = 1e-3;

/**
 * The nearest of the centres for each point; the first of those that are equally near. Products of float32 decide, but where they cannot tell
 * centres apart whose distances differ: beside a far point, two near ones have the same products.
 *
 * @param centers `k x dim`
 */
export async function nearestCenters(points: Points, centers: Float64Array): Promise<Int32Array> {
  const { tensor, n, dim, squaredNorms } = points;
  const k = centers.length / dim;
  const half = Float32Array.from({ length: k }, (_, c) => {
    let sum = 0;
    for (let j = c * dim; j < (c + 1) * dim; j++) sum += centers[j] * centers[j];
    return sum / 2;
  });
  // What rounding may make of a product and of its difference from half a square, for a point and a centre of length 1.
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
        // |x - c|^2 is least where x c - |c|^2 / 2 is greatest; a score above the bar may be.
        const margin = 2 * rounding * (Math.sqrt(squaredNorms[row]) + longest) * longest;
        let best = 0;
        let most = Math.fround(products[at] - half[0]);
        let bar = most - margin;
        let second = Number.NEGATIVE_INFINITY;
        for (let center = 1; center < k; center++) {
          const score = Math.fround(products[at + center] - half[center]);
          if (score < bar) continue;
          if (score > most) {
            second = most;
            most = score;
            bar = most - margin;
            best = center;
          } else if (score > second) second = score;
        }
        nearest[row] =
          second < bar ? best : nearer(row, best, (center) => products[at + center] - half[center] >= bar);
      }
    }
  } finally {
    c.dispose();
  }
  return nearest;

  /** The centre, or the nearest of those that may be where it gains by more than rounding. */
  function nearer(row: number, center: number, mayBe: (center: number) => boolean): number {
    const own = squaredDistance(points, row, centers, center);
    let [best, least] = [center, (1 - leastGain) * own];
    for (let other = 0; other < k; other++) {
      if (other === center || !mayBe(other)) continue;
      const distance = squaredDistance(points, row, centers, other);
      if (distance < least) [best, least] = [other, distance];
    }
    return best;
  }
}
