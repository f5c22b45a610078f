import * as tf from "@tensorflow/tfjs-core";
import { checkEmbeddingsList, checkLabels } from "../check-embeddings.js";
import { checkNumber, checkOptions, describe } from "../shared/check-options.js";

/** A loss as the property checks call it. It returns a scalar, or one value for each row, whose order follows the rows. */
export type LossUnderTest = (inputs: tf.Tensor2D[], labels: number[]) => tf.Tensor;

export interface LossPropertyOptions {
  /** Matrices `[n, dim]` of one n, such as the two views of a pair. */
  inputs: tf.Tensor2D[];
  /** The label of each row. Default: row i has label i. */
  labels?: number[];
  /** Whether the loss stays the same when all embeddings are multiplied by a number, as with cosine similarities. Default false. */
  scaleInvariant?: boolean;
  /** Whether the loss stays the same when rows (of all inputs, with their labels) change places. Default true. */
  permutationInvariant?: boolean;
  /** Whether value and gradient must be finite for rows that are zero, equal, tiny or long. Default true. */
  finiteAtExtremes?: boolean;
  /** Relative tolerance of the comparisons, greater than 0. Default 1e-4. */
  tolerance?: number;
}

/**
 * Checks a loss, of this package or your own, for what every contrastive loss should have: it is the same for rows in another order,
 * it does not depend on length where it should not, its value and gradient are finite at extremes, a NaN shows in it, and it frees its
 * tensors.
 *
 * @param loss called with clones of the inputs; it must not dispose them
 * @throws an error that names the first property that does not hold, and on a loss that returns no tensor
 *
 * @example
 * import { checkLossProperties } from "@dcr-js/contrastive/testing";
 * await checkLossProperties(([a, b]) => myLoss(a, b), { inputs: [a, b], scaleInvariant: true });
 */
export async function checkLossProperties(loss: LossUnderTest, options: LossPropertyOptions): Promise<void> {
  const checked = checkOptions<LossPropertyOptions>("checkLossProperties", options, {
    inputs: true,
    labels: true,
    scaleInvariant: "boolean",
    permutationInvariant: "boolean",
    finiteAtExtremes: "boolean",
    tolerance: true,
  });
  const { inputs, tolerance = 1e-4 } = checked;
  checkNumber("checkLossProperties: tolerance", tolerance, { above: 0 });
  if (typeof loss !== "function") {
    throw new TypeError(`checkLossProperties: loss must be a function, got ${describe(loss)}`);
  }
  const sizes = tf.tidy(() =>
    checkEmbeddingsList("checkLossProperties: inputs", inputs).map((x) => x.shape[0]),
  );
  const n = sizes[0];
  if (sizes.some((size) => size !== n)) {
    throw new Error(`checkLossProperties: inputs must have one number of rows, got ${sizes.join(", ")}`);
  }
  const labels = checked.labels ?? Array.from({ length: n }, (_, i) => i);
  checkLabels("checkLossProperties: labels", labels, n);
  const run = async (rows: tf.Tensor2D[], theirs = labels) => {
    const result = tf.tidy(() =>
      callLoss(
        loss,
        rows.map((x) => tf.clone(x)),
        theirs,
      ),
    );
    const values = Array.from(await result.data());
    result.dispose();
    return values;
  };
  const before = tf.memory().numTensors;
  const plain = await run(inputs);
  if (tf.memory().numTensors !== before) {
    throw new Error(`the loss leaves ${tf.memory().numTensors - before} tensors behind`);
  }
  if (!plain.every(Number.isFinite)) throw new Error(`the loss is not finite: ${plain}`);

  if (checked.scaleInvariant) {
    for (const factor of [1e-6, 1e6]) {
      const scaled = inputs.map((x) => tf.mul(x, factor) as tf.Tensor2D);
      compareValues(`embeddings times ${factor}`, await run(scaled), { plain, tolerance });
      tf.dispose(scaled);
    }
  }
  if (checked.permutationInvariant ?? true) {
    for (const order of generators(n)) {
      const permuted = inputs.map((x) => tf.tidy(() => tf.gather(x, order)) as tf.Tensor2D);
      const values = await run(
        permuted,
        order.map((i) => labels[i]),
      );
      const mean = (list: number[]) => [list.reduce((sum, value) => sum + value, 0) / list.length];
      compareValues("rows in another order", mean(values), { plain: mean(plain), tolerance });
      tf.dispose(permuted);
    }
  }
  for (const [i, x] of inputs.entries()) {
    const broken = tf.tidy(() => tf.where(firstOf(x), tf.fill(x.shape, Number.NaN), x)) as tf.Tensor2D;
    // An error is fine too.
    const values = await run(inputs.map((y, j) => (j === i ? broken : y))).catch(() => [Number.NaN]);
    broken.dispose();
    if (!values.some(Number.isNaN)) throw new Error(`NaN in input ${i}: the loss hides it: ${values}`);
  }
  if (checked.finiteAtExtremes ?? true) {
    for (const [name, change] of Object.entries(extremes)) {
      const changed = inputs.map((x) => tf.tidy(() => change(x)));
      await checkFinite(name, loss, { inputs: changed, labels });
      tf.dispose(changed);
    }
  }
}

/** A rotation and a swap of n rows: every other order is made of these two. */
function generators(n: number): number[][] {
  const rows = Array.from({ length: n }, (_, i) => i);
  if (n < 2) return [];
  const [first, second, ...rest] = rows;
  return [
    [...rows.slice(1), first],
    [second, first, ...rest],
  ];
}

/** The loss's value, which must be a tensor: an async function's promise is none. */
function callLoss(loss: LossUnderTest, rows: tf.Tensor2D[], labels: number[]): tf.Tensor {
  const value: unknown = loss(rows, labels);
  if (value instanceof tf.Tensor) return value;
  throw new TypeError(`checkLossProperties: loss must return a tensor, got ${describe(value)}`);
}

/** Whether an element is the first of its matrix. */
const firstOf = (x: tf.Tensor2D): tf.Tensor =>
  tf.cast(tf.reshape(tf.oneHot(tf.scalar(0, "int32"), x.size), x.shape), "bool");

const extremes: Record<string, (x: tf.Tensor2D) => tf.Tensor2D> = {
  "zero rows": (x) => tf.zerosLike(x),
  "equal rows": (x) => tf.tile(tf.slice(x, 0, 1), [x.shape[0], 1]) as tf.Tensor2D,
  "tiny rows": (x) => tf.mul(x, 1e-12) as tf.Tensor2D,
  "long rows": (x) => tf.mul(x, 1e6) as tf.Tensor2D,
};

async function checkFinite(
  name: string,
  loss: LossUnderTest,
  { inputs, labels }: { inputs: tf.Tensor2D[]; labels: number[] },
): Promise<void> {
  const { value, grads } = tf.valueAndGrads((...rows: tf.Tensor[]) => {
    // tfjs refuses inputs that the value does not depend on; this gives them a gradient of zero.
    const nothing = tf.addN(rows.map((x) => tf.mul(tf.sum(tf.mul(x, 0)), 0)));
    return tf.add(tf.sum(callLoss(loss, rows as tf.Tensor2D[], labels)), nothing) as tf.Scalar;
  })(inputs);
  const values = await Promise.all([value, ...grads].map((x) => x.data()));
  tf.dispose([value, grads]);
  const broken = values.findIndex((list) => !Array.from(list).every(Number.isFinite));
  if (broken === 0) throw new Error(`${name}: the loss is not finite: ${values[0][0]}`);
  if (broken > 0) throw new Error(`${name}: the gradient at input ${broken - 1} is not finite`);
}

function compareValues(
  name: string,
  values: number[],
  { plain, tolerance }: { plain: number[]; tolerance: number },
): void {
  for (const [i, value] of values.entries()) {
    if (!(Math.abs(value - plain[i]) <= tolerance * Math.max(1e-3, Math.abs(plain[i])))) {
      throw new Error(`${name}: the loss changes from ${plain[i]} to ${value}`);
    }
  }
}
