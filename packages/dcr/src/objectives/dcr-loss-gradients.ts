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
  temperature?: number | tf.Scalar;
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
  const where = "dcrLossGradients";
  const names = { temperature: true, positives: true, reduction: true, towards: true } as const;
  const {
    towards: wanted,
    reduction = "mean",
    temperature: given,
    ...rest
  } = checkOptions(where, options, names);
  const measured = given instanceof tf.Tensor ? given : undefined;
  if (measured) checkScalar(`${where}: temperature`, measured);
  const number = given instanceof tf.Tensor ? undefined : given;
  const { n, all, positives, anchors, ...checked } = checkDCR(where, inputs, {
    ...rest,
    temperature: number,
  });
  const temperature = measured ?? checked.temperature;
  const towards = wanted ?? positives;
  checkPositives(`${where}: towards`, towards, positives);
  checkChoice(`${where}: reduction`, reduction, ["mean", "sum"]);
  return tf.tidy(() => {
    // Every candidate is a column: the N predictions of a row, of which the anchor itself is masked, then the positives.
    const columns = tf.concat(
      [
        tf.reshape(inputs.predictions, [n, all, -1]),
        ...positives.map((positive) => tf.reshape(inputs[positive]!, [n, 1, -1])),
      ],
      1,
    );
    const anchorColumn = tf.expandDims(
      tf.cast(
        mask(n, all, (i, k) => k === anchors[i]),
        "float32",
      ),
      2,
    );
    const anchorOf = (x: tf.Tensor) =>
      tf.sum(tf.mul(tf.slice(x, [0, 0, 0], [n, all, -1]), anchorColumn), 1, true);
    const unit = l2Normalize(columns, 2);
    const norms = tf.sum(tf.mul(columns, unit), 2, true);
    const inverseNorms = tf.divNoNan(1, norms);
    const anchor = anchorOf(unit);
    // c^ - a^, and 1 - s as half its squared length.
    const apart = tf.sub(unit, anchor);
    const ofDirections = tf.mul(tf.sum(tf.square(apart), 2), 0.5) as tf.Tensor2D;
    // A zero vector has no direction: its similarity to any other is 0, and the scores with it have no gradient.
    const hasDirection = tf.mul(tf.sign(norms), tf.sign(anchorOf(norms)));
    const dissimilarity = tf.where(
      tf.equal(tf.squeeze(hasDirection, [2]), 0),
      tf.ones(ofDirections.shape),
      ofDirections,
    ) as tf.Tensor2D;
    const scores = tf.div(dissimilarity, tf.neg(temperature)) as tf.Tensor2D;

    const columnCount = all + positives.length;
    const isCandidate = mask(n, columnCount, (i, k) => k !== anchors[i]);
    const q = tf.softmax(tf.where(isCandidate, scores, tf.fill(scores.shape, excluded)));
    const losses = tf.div(
      tf.addN(towards.map((positive) => softmaxLoss(scores, anchors, all + positives.indexOf(positive)))),
      towards.length,
    );
    const share = tf.div(reduction === "mean" ? 1 / n : 1, temperature);
    // dL/ds of each column: q, and for a positive in `towards` less 1 / |towards|.
    const pulls = Array.from({ length: columnCount }, (_, column) => {
      const own = tf.slice(q, [0, column], [n, 1]);
      if (column < all || !towards.includes(positives[column - all])) return own;
      const isOther = tf.cast(
        mask(n, columnCount, (_, k) => k !== column),
        "float32",
      );
      const others = tf.sum(tf.mul(q, isOther), 1, true);
      return tf.div(tf.sub(tf.mul(own, towards.length - 1), others), towards.length);
    });
    const w = tf.mul(tf.expandDims(tf.mul(tf.concat(pulls, 1), share), 2), hasDirection);
    const gap = tf.expandDims(dissimilarity, 2);

    // (a^ - c^) + (1 - s) c^ for the candidates; the anchor's own column is zero, as its w is.
    const toCandidates = tf.mul(tf.mul(w, inverseNorms), tf.sub(tf.mul(gap, unit), apart));
    const toAnchor = tf.mul(
      anchorOf(inverseNorms),
      tf.sum(tf.mul(w, tf.add(apart, tf.mul(gap, anchor))), 1, true),
    );
    const dPredictions = tf.add(
      tf.slice(toCandidates, [0, 0, 0], [n, all, -1]),
      tf.mul(anchorColumn, toAnchor),
    );
    const similarity = tf.sub(1, dissimilarity);
    const column = (at: number) => tf.reshape(tf.slice(similarity, [0, at], [n, 1]), [n]);
    const gradients: DCRGradients = {
      value: reduce(losses as tf.Tensor1D, reduction),
      predictions: tf.reshape(dPredictions, inputs.predictions.shape),
      similarities: {
        predictions: tf.slice(similarity, [0, 0], [n, all]) as tf.Tensor2D,
        ...Object.fromEntries(positives.map((positive, i) => [positive, column(all + i)])),
      },
    };
    const at = positives.indexOf("augmented");
    if (at >= 0) {
      gradients.augmented = tf.reshape(
        tf.slice(toCandidates, [0, all + at, 0], [n, 1, -1]),
        inputs.augmented!.shape,
      );
    }
    return gradients as never;
  }) as unknown as DCRGradients;
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
