import * as tf from "@tensorflow/tfjs-core";
import { checkEmbeddingsList } from "./check-embeddings.js";
import { checkNumber, checkOptions, describe } from "./shared/check-options.js";
import { type Trainable, tensorOf } from "./shared/trainable.js";

/** The processes of a data-parallel run; `Communicator` of `@dcr-js/tensor` is one. */
export interface Ranks {
  readonly rank: number;
  readonly size: number;
  allReduce(tensors: tf.Tensor[]): Promise<tf.Tensor[]>;
  allGather(tensor: tf.Tensor): Promise<tf.Tensor>;
}

export interface LossAcrossRanksOptions {
  /** Trained tensors that the loss reads itself, such as a temperature, a bias or class weights; equal on every rank. Default: none. */
  variables?: readonly Trainable[];
}

/** A loss over the rows of all ranks, and its gradients. The caller disposes the tensors. */
export interface LossOfAllRanks {
  /** Equal on every rank. */
  value: tf.Scalar;
  /** At this rank's own rows, `[n, dim]` for each of the features. */
  gradients: tf.Tensor2D[];
  /** For each of the variables the whole gradient, equal on every rank. */
  variableGradients: tf.Tensor[];
}

/**
 * Computes a loss over the rows of all ranks, and its exact gradient at this rank's own rows. Every rank computes the loss of all gathered
 * rows, so that the result equals that of one process with the whole batch.
 *
 * The gradients that a rank makes of `gradients` at its model's parameters are its rows' part: add the ranks' parts up (`allReduce`), and do not
 * average them. `variableGradients` are whole already, on every rank.
 *
 * @param features this rank's rows, one tensor `[n, dim]` for each argument of the loss; every rank has as many rows
 * @param loss of all rows, a scalar
 * @param ranks joins the processes
 * @throws when the ranks' rows differ in number, when the loss is no scalar, and naming a feature or variable that it does not depend on
 *
 * @example
 * const temperature = learnedTemperature();
 * const { value, gradients, variableGradients } = await lossAcrossRanks(
 *   [images, texts],
 *   (x, y) => clipLoss(x, y, temperature.scale()),
 *   communicator,
 *   { variables: [temperature.logScale] },
 * );
 */
export async function lossAcrossRanks(
  features: tf.Tensor[],
  loss: (...all: tf.Tensor2D[]) => tf.Scalar,
  ranks: Ranks,
  options: LossAcrossRanksOptions = {},
): Promise<LossOfAllRanks> {
  const variables = readVariables(options);
  checkRanks(ranks);
  if (typeof loss !== "function") {
    throw new TypeError(`lossAcrossRanks: loss must be a function, got ${describe(loss)}`);
  }
  const rows = tf.tidy(() => checkEmbeddingsList("lossAcrossRanks: features", features));
  const own = rows.map((x) => x.shape[0]);
  let all: tf.Tensor[] = [];
  try {
    const gathered = await Promise.allSettled(rows.map((x) => ranks.allGather(x)));
    all = gathered.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    const failed = gathered.find((result) => result.status === "rejected");
    if (failed) throw failed.reason;
    for (const [i, x] of all.entries()) {
      if (x.shape[0] !== own[i] * ranks.size) {
        throw new Error(
          `lossAcrossRanks: features[${i}] must have as many rows on each of ${ranks.size} ranks, got ${own[i]} here and ${x.shape[0]} in all`,
        );
      }
    }
    return differentiate(loss, { all, variables, own, rank: ranks.rank });
  } finally {
    tf.dispose([...all, ...rows.filter((x, i) => x !== features[i])]);
  }
}

function checkRanks(ranks: Ranks): void {
  const { rank, size, allGather } = (ranks ?? {}) as Partial<Ranks>;
  if (typeof allGather !== "function") {
    throw new TypeError(
      `lossAcrossRanks: ranks must join processes, as a Communicator does, got ${describe(ranks)}`,
    );
  }
  checkNumber("lossAcrossRanks: ranks.size", size, { min: 1, integer: true });
  checkNumber("lossAcrossRanks: ranks.rank", rank, { min: 0, max: size! - 1, integer: true });
}

function readVariables(options: LossAcrossRanksOptions): tf.Tensor[] {
  const { variables = [] } = checkOptions<LossAcrossRanksOptions>("lossAcrossRanks", options, {
    variables: true,
  });
  if (!Array.isArray(variables)) {
    throw new TypeError(`lossAcrossRanks: variables must be an array, got ${describe(variables)}`);
  }
  return variables.map((variable, i) => tensorOf(`lossAcrossRanks: variables[${i}]`, variable));
}

function differentiate(
  loss: (...all: tf.Tensor2D[]) => tf.Scalar,
  { all, variables, own, rank }: { all: tf.Tensor[]; variables: tf.Tensor[]; own: number[]; rank: number },
): LossOfAllRanks {
  return tf.tidy(() => {
    const { value, grads } = tf
      .engine()
      .gradients(() => checkLoss(loss(...(all as tf.Tensor2D[]))), [...all, ...variables], undefined, true);
    for (const at of [...all, ...variables].keys()) {
      if (grads[at]) continue;
      const name = at < all.length ? `features[${at}]` : `variables[${at - all.length}]`;
      throw new Error(`lossAcrossRanks: the loss does not depend on ${name}`);
    }
    const gradients = own.map((n, i) => tf.slice(grads[i], rank * n, n));
    return { value, gradients, variableGradients: grads.slice(all.length) } as never;
  }) as unknown as LossOfAllRanks;
}

function checkLoss(value: unknown): tf.Scalar {
  if (value instanceof tf.Tensor && value.size === 1) return tf.reshape(value, []);
  const got = value instanceof tf.Tensor ? `shape [${value.shape}]` : describe(value);
  throw new TypeError(`lossAcrossRanks: loss must return a scalar, got ${got}`);
}
