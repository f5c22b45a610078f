import { checkLabels, type Labels, numberLabels } from "../features/check-labels.js";
import { type Features, openFeatures } from "../features/open-features.js";

/** Differences after which others get their turn, about a tenth of a second. */
const uninterrupted = 1e8;
const rowsAtOnce = 4;

/**
 * Mean silhouette of the rows, in [-1, 1], with Euclidean distances (Rousseeuw 1987): near 1 where rows are much nearer to
 * their own cluster than to the next. A row that is alone in its cluster counts 0. In float64, in time `O(n^2 dim)` and memory `O(n clusters)`.
 *
 * @param features `[n, dim]`. @param clusters the cluster (or label) of each row, from 2 to n - 1 different ones
 */
export async function silhouette(features: Features, clusters: Labels): Promise<number> {
  const x = await openFeatures("silhouette: features", features);
  try {
    const [n, dim] = x.shape;
    checkLabels("silhouette: clusters", clusters, n);
    const { names, numbers } = numberLabels(clusters);
    const k = names.length;
    if (k < 2 || k > n - 1) {
      throw new Error(`silhouette: expected 2 to ${n - 1} different clusters for ${n} rows, got ${k}`);
    }
    const counts = new Float64Array(k);
    for (const cluster of numbers) counts[cluster]++;
    // float32 products of long rows would lose the distances of near ones.
    const sums = await distanceSums(await x.data(), { n, dim, numbers, k });
    let total = 0;
    for (let i = 0; i < n; i++) {
      const own = numbers[i];
      if (counts[own] > 1) total += silhouetteOf(sums.subarray(i * k, (i + 1) * k), counts, own);
    }
    return total / n;
  } finally {
    x.dispose();
  }
}

/** The sums of the distances of each row to the rows of each cluster, `n * k`. */
async function distanceSums(
  rows: ArrayLike<number>,
  { n, dim, numbers, k }: { n: number; dim: number; numbers: Int32Array; k: number },
): Promise<Float64Array> {
  // The backend may hand out its own memory, which others may move meanwhile.
  const data = Float64Array.from(rows);
  const sums = new Float64Array(n * k);
  const squares = new Float64Array(rowsAtOnce);
  let done = 0;
  for (let i = 0; i < n; i++) {
    for (let first = i + 1; first < n; first += rowsAtOnce) {
      const count = Math.min(rowsAtOnce, n - first);
      squaredDistances(data, { dim, row: i, first, count }, squares);
      for (let j = first; j < first + count; j++) {
        const distance = Math.sqrt(squares[j - first]);
        sums[i * k + numbers[j]] += distance;
        sums[j * k + numbers[i]] += distance;
      }
    }
    done += (n - i) * dim;
    if (done < uninterrupted) continue;
    await new Promise((resolve) => setTimeout(resolve));
    done = 0;
  }
  return sums;
}

/** The squared distances of a row to `count` rows from `first` on. The four sums of a full block do not wait for one another. */
function squaredDistances(
  data: Float64Array,
  { dim, row, first, count }: { dim: number; row: number; first: number; count: number },
  squares: Float64Array,
): void {
  const a = row * dim;
  let b = first * dim;
  if (count === rowsAtOnce) {
    const [b1, b2, b3] = [b + dim, b + 2 * dim, b + 3 * dim];
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let c = 0; c < dim; c++) {
      const value = data[a + c];
      const d0 = value - data[b + c];
      const d1 = value - data[b1 + c];
      const d2 = value - data[b2 + c];
      const d3 = value - data[b3 + c];
      s0 += d0 * d0;
      s1 += d1 * d1;
      s2 += d2 * d2;
      s3 += d3 * d3;
    }
    squares[0] = s0;
    squares[1] = s1;
    squares[2] = s2;
    squares[3] = s3;
    return;
  }
  for (let j = 0; j < count; j++, b += dim) {
    let sum = 0;
    for (let c = 0; c < dim; c++) sum += (data[a + c] - data[b + c]) ** 2;
    squares[j] = sum;
  }
}

/** From the sums of a row's distances to each cluster. */
function silhouetteOf(sums: Float64Array, counts: Float64Array, own: number): number {
  const inner = sums[own] / (counts[own] - 1);
  let outer = Number.POSITIVE_INFINITY;
  for (const [cluster, sum] of sums.entries())
    if (cluster !== own) outer = Math.min(outer, sum / counts[cluster]);
  const larger = Math.max(inner, outer);
  return larger === 0 ? 0 : (outer - inner) / larger;
}
