import { type Reduced, type Reduction, reduce } from "@dcr-js/contrastive";
import * as tf from "@tensorflow/tfjs-core";

/** A positive of the DCR loss: the augmented view's prediction `A+`, or the target `G`. */
export type DCRPositive = "augmented" | "target";

/** What DCR contrasts, each flattened from the batch axes on; usually latents `[h, w, channels]`. */
export interface DCRPredictions {
  /** `P[i, k] = unet(x_t,i, t_i, e_k)`, `[N, N, ...]`. */
  predictions: tf.Tensor;
  /** `A+_i = unet(x_t,i, t_i, e(aug(x_i)))`, `[N, ...]`; not needed where it is not a positive. */
  augmented?: tf.Tensor;
  /** `G_i`, the scheduler's target, `[N, ...]`; not needed where it is not a positive. */
  target?: tf.Tensor;
}

export interface DCRTermsOptions {
  /** Greater than 0. Default 0.1. */
  temperature?: number;
  /** The positives of each anchor. Default both. */
  positives?: readonly DCRPositive[];
}

export interface DCRLossOptions<R extends Reduction = Reduction> extends DCRTermsOptions {
  /** Over the anchors. Default `"mean"`. */
  reduction?: R;
}

/** One value for each anchor, `[N]`, for each positive in use; the caller disposes them. */
export interface DCRLosses {
  /** Towards the augmented view's prediction. */
  augmented?: tf.Tensor1D;
  /** Towards the target. */
  target?: tf.Tensor1D;
}

/** An anchor is no candidate of its own: its score is this, whose exponential is 0. */
const excluded = -1e30;

/**
 * The DCR loss for each anchor, apart by positive (Han et al. 2026, eq. 6): with `s` the cosine similarity of
 * flattened predictions, anchor `a_i = P[i, i]` and candidates `C_i = positives + {P[i, k] : k != i}`,
 *
 *     L_i(p) = -s(a_i, p)/tau + log sum_{c in C_i} exp(s(a_i, c)/tau),   p in {A+_i, G_i}.
 *
 * Gradients flow through anchor, augmented positive and negatives. Time and memory `O(N^2 D)` for predictions of `D`
 * values.
 *
 * @throws on shapes that do not agree, a positive that is not given, a batch of one (which has no negatives) and a
 *   temperature that is not positive.
 */
export function dcrLossTerms(inputs: DCRPredictions, options: DCRTermsOptions = {}): DCRLosses {
  const { n, temperature, positives } = check("dcrLossTerms", inputs, options);
  return tf.tidy(() => {
    const diagonal = tf.eye(n);
    const pairs = normalizeLast(tf.reshape(inputs.predictions, [n, n, -1]));
    const anchors = tf.sum(tf.mul(pairs, tf.expandDims(diagonal, 2)), 1);
    const toPositives = positives.map((positive) => {
      const flat = normalizeLast(tf.reshape(inputs[positive]!, [n, -1]));
      return tf.div(tf.sum(tf.mul(flat, anchors), 1), temperature);
    });
    const toOthers = tf.div(tf.sum(tf.mul(pairs, tf.expandDims(anchors, 1)), 2), temperature);
    const negatives = tf.where(tf.cast(diagonal, "bool"), tf.fill([n, n], excluded), toOthers);
    const total = tf.logSumExp(
      tf.concat([...toPositives.map((score) => tf.expandDims(score, 1)), negatives], 1),
      1,
    );
    return Object.fromEntries(
      positives.map((positive, i) => [positive, tf.sub(total, toPositives[i])]),
    ) as never;
  }) as unknown as DCRLosses;
}

/**
 * The DCR loss (Han et al. 2026, eq. 6), the mean of {@link dcrLossTerms} over the positives, differentiable with
 * `tf.grads`.
 *
 * @returns a scalar, or with `reduction: "none"` one value for each anchor, `[N]`.
 * @throws as {@link dcrLossTerms}.
 *
 * @example
 * const gradients = tf.grads((p, a) => dcrLoss({ predictions: p, augmented: a, target }))([predictions, augmented]);
 */
export function dcrLoss<R extends Reduction = "mean">(
  inputs: DCRPredictions,
  options: DCRLossOptions<R> = {},
): Reduced<R> {
  const { reduction = "mean" as R } = options;
  return tf.tidy(() => {
    const terms = Object.values(dcrLossTerms(inputs, options)) as tf.Tensor1D[];
    return reduce(tf.div(tf.addN(terms), terms.length) as tf.Tensor1D, reduction);
  }) as Reduced<R>;
}

export interface DCRGradientOptions extends DCRLossOptions<"mean" | "sum"> {
  /**
   * The positives whose losses are differentiated; all of `positives` stay candidates. Default `positives`. With one
   * of the two, this is the gradient of that positive's own loss, for diagnosing how the two conflict.
   */
  towards?: readonly DCRPositive[];
}

/** The DCR loss and its gradients; the caller disposes the tensors. */
export interface DCRGradients {
  value: tf.Scalar;
  /** `dL/dP`, `[N, N, ...]`; its diagonal is the anchors'. */
  predictions: tf.Tensor;
  /** `dL/dA+`, `[N, ...]`, where it is a positive. */
  augmented?: tf.Tensor;
}

/**
 * The DCR loss with its gradients in closed form, without a tape: what a chunked gradient (GradCache) starts from.
 *
 * With `q` the softmax of `s(a_i, c)/tau` over the candidates and `w_c = (q_c - [c in towards]/|towards|)/tau`,
 *
 *     dL_i/dc   = w_c (a^ - s_c c^)/|c|,        a^ = a/|a|, c^ = c/|c|, s_c = a^ . c^
 *     dL_i/da_i = sum_c w_c (c^ - s_c a^)/|a|.
 *
 * The target gets no gradient. `O(N^2 D)` like the loss, without its intermediates.
 *
 * @throws as {@link dcrLossTerms}, and where `towards` names what is no positive.
 */
export function dcrLossGradients(inputs: DCRPredictions, options: DCRGradientOptions = {}): DCRGradients {
  const { n, temperature, positives } = check("dcrLossGradients", inputs, options);
  const { towards = positives, reduction = "mean" } = options;
  checkPositives("dcrLossGradients: towards", towards, positives);
  return tf.tidy(() => {
    const pairs = tf.reshape(inputs.predictions, [n, n, -1]);
    const size = pairs.shape[2]!;
    const own = tf.range(0, n * n, n + 1, "int32");
    const anchors = tf.gather(tf.reshape(pairs, [n * n, size]), own);
    const others = positives.map((positive) => tf.reshape(inputs[positive]!, [n, 1, size]));
    // Every candidate is a column: the N predictions of a row, of which the anchor itself is masked, then positives.
    const columns = (each: (x: tf.Tensor) => tf.Tensor) =>
      tf.concat(
        [pairs, ...others].map((x) => tf.reshape(each(x), [n, -1])),
        1,
      );
    const anchorNorms = norms(anchors);
    const candidateNorms = columns(norms);
    const products = tf.mul(candidateNorms, anchorNorms);
    const cosines = tf.div(
      columns((x) => tf.matMul(x, tf.expandDims(anchors, 2))),
      products,
    );
    const scores = tf.div(cosines, temperature);
    const isAnchor = tf.cast(tf.concat([tf.eye(n), tf.zeros([n, others.length])], 1), "bool");
    const candidates = tf.where(isAnchor, tf.fill(scores.shape, excluded), scores);
    const wanted = tf.tile(
      tf.tensor2d([
        [...Array(n).fill(0), ...positives.map((p) => (towards.includes(p) ? 1 / towards.length : 0))],
      ]),
      [n, 1],
    );
    const losses = tf.sub(tf.logSumExp(candidates, 1), tf.sum(tf.mul(wanted, scores), 1));
    const share = (reduction === "mean" ? 1 / n : 1) / temperature;
    const w = tf.mul(tf.sub(tf.softmax(candidates), wanted), share);
    const across = tf.div(w, products);
    const along = tf.neg(tf.div(tf.mul(w, cosines), tf.square(candidateNorms)));
    const part = (x: tf.Tensor, from: number, count: number) =>
      tf.expandDims(tf.slice(x, [0, from], [n, count]), 2);

    const anchorRows = tf.expandDims(anchors, 1);
    const toCandidates = (x: tf.Tensor, from: number, count: number) =>
      tf.add(tf.mul(part(across, from, count), anchorRows), tf.mul(part(along, from, count), x));
    const sums = [pairs, ...others].map((x, i) =>
      i === 0 ? tf.matMul(part(across, 0, n), pairs, true) : tf.mul(part(across, n + i - 1, 1), x),
    );
    const turn = tf.neg(tf.div(tf.sum(tf.mul(w, cosines), 1, true), tf.square(anchorNorms)));
    const toAnchors = tf.addN([...sums, tf.mul(tf.expandDims(turn, 2), anchorRows)]);
    const gradients: DCRGradients = {
      value: reduce(losses as tf.Tensor1D, reduction),
      predictions: tf.reshape(
        tf.add(toCandidates(pairs, 0, n), tf.mul(tf.expandDims(tf.eye(n), 2), toAnchors)),
        inputs.predictions.shape,
      ),
    };
    const at = positives.indexOf("augmented");
    if (at >= 0)
      gradients.augmented = tf.reshape(toCandidates(others[at], n + at, 1), inputs.augmented!.shape);
    return gradients as never;
  }) as unknown as DCRGradients;
}

function check(where: string, inputs: DCRPredictions, options: DCRTermsOptions) {
  const { temperature = 0.1, positives = ["augmented", "target"] } = options;
  const { predictions } = inputs;
  const [n, m, ...item] = predictions.shape;
  if (predictions.rank < 3 || n !== m) {
    throw new Error(`${where}: predictions must be [N, N, ...], got [${predictions.shape}]`);
  }
  if (n < 2) throw new Error(`${where}: a batch of one has no negatives; N must be at least 2, got 1`);
  checkPositives(`${where}: positives`, positives, ["augmented", "target"]);
  for (const positive of positives) {
    const shape = inputs[positive]?.shape;
    if (String(shape) !== String([n, ...item])) {
      throw new Error(
        `${where}: ${positive} must be [${[n, ...item]}] beside predictions [${predictions.shape}], ` +
          `got ${shape ? `[${shape}]` : "nothing"}`,
      );
    }
  }
  if (!(temperature > 0)) throw new Error(`${where}: temperature must be positive, got ${temperature}`);
  return { n, temperature, positives };
}

function checkPositives(name: string, given: readonly string[], allowed: readonly string[]): void {
  const known = given.every((positive, i) => allowed.includes(positive) && given.indexOf(positive) === i);
  if (given.length === 0 || !known) {
    throw new Error(`${name} must be one or more of ${allowed.join(", ")}, each once, got [${given}]`);
  }
}

/** Euclidean norms over the last axis, kept; never 0. */
const norms = (x: tf.Tensor) => tf.sqrt(tf.maximum(tf.sum(tf.square(x), -1, true), 1e-24));

const normalizeLast = (x: tf.Tensor) =>
  tf.mul(x, tf.rsqrt(tf.maximum(tf.sum(tf.square(x), -1, true), 1e-24)));
