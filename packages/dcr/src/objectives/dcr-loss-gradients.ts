import { reduce } from "@dcr-js/contrastive";
import { l2Normalize } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { checkChoice, checkOptions } from "../shared/check-options.js";
import { checkScalar } from "./check-scalar.js";
import {
  checkDCR,
  checkPositives,
  type DCRPositive,
  type DCRPredictions,
  type DCRTermsOptions,
  mask,
} from "./dcr-inputs.js";

export interface DCRGradientOptions extends Omit<DCRTermsOptions, "temperature"> {
  /** A number greater than 0, or a scalar, which gets no gradient. Default 0.1. */
  temperature?: number | tf.Tensor;
  /**
   * The positives whose losses are differentiated; all of `positives` stay candidates. Default `positives`. With one
   * of the two, this is the gradient of that positive's own loss, for diagnosing how the two conflict.
   */
  towards?: readonly DCRPositive[];
  /** The reduction over the anchors. Default `"mean"`. */
  reduction?: "mean" | "sum";
}

/** The DCR loss and its gradients; the caller disposes the tensors. */
export interface DCRGradients {
  value: tf.Scalar;
  /** `dL/dP`, `[n, N, ...]`; in the anchors' places it is the gradient of the anchors. */
  predictions: tf.Tensor;
  /** `dL/dA+`, `[n, ...]`, where it is a positive. */
  augmented?: tf.Tensor;
  /** Cosine similarities of each anchor with its row's predictions, `[n, N]`, and with each positive, `[n]`. */
  similarities: { predictions: tf.Tensor2D; augmented?: tf.Tensor1D; target?: tf.Tensor1D };
}

/** An anchor is not its own candidate: its score is this, whose exponential is 0. */
const excluded = -1e30;

/**
 * The DCR loss (Han et al. 2026, eq. 6) with its gradients in closed form, without a tape: a chunked gradient (GradCache) starts here.
 *
 * With `s` the cosine similarity of flattened predictions, anchor `a_i = P[i, i]` and candidates `C_i = positives + {P[i, k] : k != i}`,
 *
 *     L_i = mean over p in towards of ( -s(a_i, p)/tau + log sum_{c in C_i} exp(s(a_i, c)/tau) ).
 *
 * With `q` the softmax of `s(a_i, c)/tau` over the candidates and `w_c = (q_c - [c in towards]/|towards|)/tau`,
 *
 *     dL_i/dc   = w_c (a^ - s_c c^)/|c|,        a^ = a/|a|, c^ = c/|c|, s_c = a^ . c^
 *     dL_i/da_i = sum_c w_c (c^ - s_c a^)/|a|.
 *
 * The target gets no gradient. Time and memory `O(n N D)` for predictions of `D` values. `dcr` of `@dcr-js/contrastive` is the same loss for
 * tensors of any kind, differentiated by the tape.
 *
 * Small losses and gradients keep float32's digits: `1 - s` is half the squared distance of the normalised predictions, which does not
 * cancel where predictions are nearly parallel; `q_p - 1` is computed as minus the sum of the other candidates' `q`, and `c^ - s_c a^` as
 * `(c^ - a^) + (1 - s_c) a^`. A prediction of zeros has similarity 0 to all others.
 *
 * @returns the caller disposes the tensors
 * @throws on shapes or types that do not agree, a positive that is not given, a batch of one (which has no negatives), a temperature that is
 *   not positive, `towards` that names something that is not a positive, and unknown options
 *
 * @example
 * const { value, predictions: gradient } = dcrLossGradients({ predictions, augmented, target }, { temperature: 0.1 });
 */
export function dcrLossGradients(inputs: DCRPredictions, options?: DCRGradientOptions): DCRGradients {
  const checked = checkGradientOptions(inputs, options);
  const { n, all, positives, anchors, temperature, towards, reduction } = checked;
  return tf.tidy(() => {
    // Every candidate is a column: the N predictions of a row, of which the anchor itself is masked, then the positives.
    const columns = tf.concat(
      [
        tf.reshape(inputs.predictions, [n, all, -1]),
        ...positives.map((positive) => tf.reshape(inputs[positive]!, [n, 1, -1])),
      ],
      1,
    );
    const geometry = geometryOf(columns, checked);
    const { dissimilarity, hasDirection } = geometry;
    const scores = tf.div(dissimilarity, tf.neg(temperature)) as tf.Tensor2D;
    const losses = tf.div(
      tf.addN(towards.map((positive) => softmaxLoss(scores, anchors, all + positives.indexOf(positive)))),
      towards.length,
    );
    const share = tf.div(reduction === "mean" ? 1 / n : 1, temperature);
    const w = tf.mul(tf.expandDims(tf.mul(pullsOf(scores, checked), share), 2), hasDirection);
    const { toCandidates, predictions } = gradientsAt(w, geometry, all);

    const similarity = tf.sub(1, dissimilarity);
    const column = (at: number) => tf.reshape(tf.slice(similarity, [0, at], [n, 1]), [n]);
    const at = positives.indexOf("augmented");
    return {
      value: reduce(losses as tf.Tensor1D, reduction),
      predictions: tf.reshape(predictions, inputs.predictions.shape),
      similarities: {
        predictions: tf.slice(similarity, [0, 0], [n, all]) as tf.Tensor2D,
        ...Object.fromEntries(positives.map((positive, i) => [positive, column(all + i)])),
      },
      ...(at >= 0 && {
        augmented: tf.reshape(tf.slice(toCandidates, [0, all + at, 0], [n, 1, -1]), inputs.augmented!.shape),
      }),
    } as never;
  }) as unknown as DCRGradients;
}

type Checked = ReturnType<typeof checkGradientOptions>;

function checkGradientOptions(inputs: DCRPredictions, options?: DCRGradientOptions) {
  const caller = "dcrLossGradients";
  const names = { temperature: true, positives: true, reduction: true, towards: true } as const;
  const {
    towards: wanted,
    reduction = "mean",
    temperature: given,
    ...rest
  } = checkOptions(caller, options, names);
  const measured = given instanceof tf.Tensor ? given : undefined;
  if (measured) checkScalar(`${caller}: temperature`, measured);
  const temperature = given instanceof tf.Tensor ? undefined : given;
  const checked = checkDCR(caller, inputs, { ...rest, temperature });
  const towards = wanted ?? checked.positives;
  checkPositives(`${caller}: towards`, towards, checked.positives);
  checkChoice(`${caller}: reduction`, reduction, ["mean", "sum"]);
  return { ...checked, temperature: measured ?? checked.temperature, towards, reduction };
}

/** How the columns of each row lie about its anchor. */
interface Geometry {
  /** `c^`, `[n, columns, D]`. */
  unit: tf.Tensor;
  /** `1 / |c|`, and 0 for a zero vector, `[n, columns, 1]`. */
  inverseNorms: tf.Tensor;
  /** `a^`, `[n, 1, D]`. */
  anchor: tf.Tensor;
  /** `c^ - a^`, `[n, columns, D]`. */
  apart: tf.Tensor;
  /** `1 - s`, `[n, columns]`. */
  dissimilarity: tf.Tensor2D;
  /** 1, and 0 where the column or the anchor is a zero vector, `[n, columns, 1]`. */
  hasDirection: tf.Tensor;
  /** 1 in the anchors' places among the predictions, `[n, N, 1]`. */
  anchorColumn: tf.Tensor;
  /** The anchor's own part of `[n, columns, ...]`, `[n, 1, ...]`. */
  anchorOf: (x: tf.Tensor) => tf.Tensor;
}

function geometryOf(
  columns: tf.Tensor,
  { n, all, anchors }: Pick<Checked, "n" | "all" | "anchors">,
): Geometry {
  const isAnchor = mask(n, all, (i, k) => k === anchors[i]);
  const anchorColumn = tf.expandDims(tf.cast(isAnchor, "float32"), 2);
  const anchorOf = (x: tf.Tensor) =>
    tf.sum(tf.mul(tf.slice(x, [0, 0, 0], [n, all, -1]), anchorColumn), 1, true);
  const unit = l2Normalize(columns, 2);
  const norms = tf.sum(tf.mul(columns, unit), 2, true);
  const anchor = anchorOf(unit);
  const apart = tf.sub(unit, anchor);
  // 1 - s is half the squared length of c^ - a^.
  const ofDirections = tf.mul(tf.sum(tf.square(apart), 2), 0.5) as tf.Tensor2D;
  // A zero vector has no direction: its similarity to any other is 0, and the scores with it have no gradient.
  const hasDirection = tf.mul(tf.sign(norms), tf.sign(anchorOf(norms)));
  const dissimilarity = tf.where(
    tf.equal(tf.squeeze(hasDirection, [2]), 0),
    tf.ones(ofDirections.shape),
    ofDirections,
  ) as tf.Tensor2D;
  const inverseNorms = tf.divNoNan(1, norms);
  return { unit, inverseNorms, anchor, apart, dissimilarity, hasDirection, anchorColumn, anchorOf };
}

/** `dL/ds` of each column, times the temperature, `[n, columns]`: `q`, and for a positive in `towards` less `1 / |towards|`. */
function pullsOf(scores: tf.Tensor2D, { n, all, anchors, positives, towards }: Checked): tf.Tensor {
  const count = scores.shape[1];
  const isCandidate = mask(n, count, (i, k) => k !== anchors[i]);
  const q = tf.softmax(tf.where(isCandidate, scores, tf.fill(scores.shape, excluded)));
  const pulls = Array.from({ length: count }, (_, column) => {
    const own = tf.slice(q, [0, column], [n, 1]);
    if (column < all || !towards.includes(positives[column - all])) return own;
    const isOther = tf.cast(
      mask(n, count, (_, k) => k !== column),
      "float32",
    );
    const others = tf.sum(tf.mul(q, isOther), 1, true);
    return tf.div(tf.sub(tf.mul(own, towards.length - 1), others), towards.length);
  });
  return tf.concat(pulls, 1);
}

/** The gradients at the candidates, `[n, columns, D]`, and at the predictions, `[n, N, D]`, the anchors among them. @param w `[n, columns, 1]` */
function gradientsAt(
  w: tf.Tensor,
  { unit, inverseNorms, anchor, apart, dissimilarity, anchorColumn, anchorOf }: Geometry,
  all: number,
): { toCandidates: tf.Tensor; predictions: tf.Tensor } {
  const gap = tf.expandDims(dissimilarity, 2);
  // (a^ - c^) + (1 - s) c^ for the candidates; the anchor's own column is zero, as its w is.
  const toCandidates = tf.mul(tf.mul(w, inverseNorms), tf.sub(tf.mul(gap, unit), apart));
  const toAnchor = tf.mul(
    anchorOf(inverseNorms),
    tf.sum(tf.mul(w, tf.add(apart, tf.mul(gap, anchor))), 1, true),
  );
  const ofRows = tf.slice(toCandidates, [0, 0, 0], [toCandidates.shape[0], all, -1]);
  return { toCandidates, predictions: tf.add(ofRows, tf.mul(anchorColumn, toAnchor)) };
}

/**
 * `-log softmax` of column `at` among the candidates of each row, `[n]`, as `softplus(log sum_{c != p} exp((s_c - s_p)/tau))`: with float32's
 * digits even where it is tiny.
 *
 * @param anchors of each row, the column that is not a candidate
 */
function softmaxLoss(scores: tf.Tensor2D, anchors: ArrayLike<number>, at: number): tf.Tensor1D {
  const [n, columns] = scores.shape;
  const ahead = tf.sub(scores, tf.slice(scores, [0, at], [n, 1]));
  const isRival = mask(n, columns, (i, k) => k !== anchors[i] && k !== at);
  const rivals = tf.where(isRival, ahead, tf.fill([n, columns], excluded));
  return tf.softplus(tf.logSumExp(rivals, 1)) as tf.Tensor1D;
}
