import * as tf from "@tensorflow/tfjs-core";

/** How the gradients of several losses stand to one another. */
export interface GradientConflict {
  /** Euclidean norm of each loss's gradient. */
  norms: Record<string, number>;
  pairs: {
    losses: [string, string];
    /** Cosine of the angle between the two gradients, in [-1, 1]; 0 where one is zero. */
    cosine: number;
    /** `2 |a| |b| / (|a|^2 + |b|^2)` in [0, 1] (Yu et al. 2020, definition 2); 1 for equal lengths. */
    magnitudeSimilarity: number;
  }[];
}

/**
 * The inner products of all pairs of gradients, `[m, m]` row by row, with one readback. O(m^2 n) for m gradients of n
 * values.
 *
 * @param gradients of each loss, the same tensors' in the same order.
 */
export async function gramMatrix(gradients: readonly (readonly tf.Tensor[])[]): Promise<Float32Array> {
  const m = gradients.length;
  if (m === 0 || gradients.some((list) => list.length !== gradients[0].length)) {
    throw new Error(`gramMatrix: expected one list of gradients for each loss, all of one length`);
  }
  const gram = tf.tidy(() => {
    const inner = (a: readonly tf.Tensor[], b: readonly tf.Tensor[]) =>
      tf.addN(a.map((gradient, i) => tf.sum(tf.mul(gradient, b[i]))));
    const cells: tf.Tensor[] = [];
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < m; j++) cells.push(j < i ? cells[j * m + i] : inner(gradients[i], gradients[j]));
    }
    return tf.stack(cells);
  });
  const values = (await gram.data()) as Float32Array;
  gram.dispose();
  return values;
}

/** Norms, cosines and magnitude similarities from a Gram matrix. @param names of the losses, in its order. */
export function conflictFromGram(names: readonly string[], gram: ArrayLike<number>): GradientConflict {
  const m = names.length;
  if (gram.length !== m * m) {
    throw new Error(`conflictFromGram: expected ${m} x ${m} = ${m * m} inner products, got ${gram.length}`);
  }
  const norm = (i: number) => Math.sqrt(Math.max(0, gram[i * m + i]));
  const pairs: GradientConflict["pairs"] = [];
  for (let i = 0; i < m; i++) {
    for (let j = i + 1; j < m; j++) {
      const product = norm(i) * norm(j);
      const squares = norm(i) ** 2 + norm(j) ** 2;
      pairs.push({
        losses: [names[i], names[j]],
        cosine: product === 0 ? 0 : Math.min(1, Math.max(-1, gram[i * m + j] / product)),
        magnitudeSimilarity: squares === 0 ? 1 : (2 * product) / squares,
      });
    }
  }
  return { norms: Object.fromEntries(names.map((name, i) => [name, norm(i)])), pairs };
}

/** Over a run's cosines: the share of negative ones and their mean. */
export function summarizeCosines(cosines: readonly number[]): { negativeShare: number; meanCosine: number } {
  if (cosines.length === 0) throw new Error("summarizeCosines: cosines must not be empty");
  return {
    negativeShare: cosines.filter((cosine) => cosine < 0).length / cosines.length,
    meanCosine: cosines.reduce((sum, cosine) => sum + cosine, 0) / cosines.length,
  };
}
