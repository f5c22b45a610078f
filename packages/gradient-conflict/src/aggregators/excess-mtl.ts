import * as tf from "@tensorflow/tfjs-core";
import { checkFloat } from "../shared/check-float.js";
import { checkNumber, checkOptions } from "../shared/check-options.js";
import { combineGradients } from "./aggregator.js";
import { softmax } from "./simplex.js";

export interface ExcessMTLOptions {
  /** Step size of the weights, greater than 0. Default 1. */
  robustStepSize?: number;
  /** Steps of equal weights in which the excess risks are only observed, at least 0. Default 0. */
  warmupSteps?: number;
}

/** Keeps roots and quotients finite, as in the reference implementation. */
const epsilon = 1e-7;
const rootEpsilon = Math.sqrt(epsilon);

/** `sqrt(a^2 + b^2)` without the squares, which overflow beyond 1e19. */
function hypotenuse(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  const [x, y] = [tf.abs(a), tf.abs(b)];
  const longer = tf.maximum(x, y);
  const ratio = tf.div(tf.minimum(x, y), tf.where(tf.equal(longer, 0), tf.onesLike(longer), longer));
  return tf.mul(longer, tf.sqrt(tf.add(tf.square(ratio), 1)));
}

/**
 * ExcessMTL (He et al. 2024, algorithm 1): weights by exponentiated gradient on the losses' excess risks, each estimated as
 * `g^T H^-1 g` with AdaGrad's diagonal `H`. It keeps a tensor for each gradient, so it is an object with a state, which its owner disposes.
 *
 * @example
 * const excess = new ExcessMTL();
 * const { gradients, weights } = await excess.combine(lists);
 */
export class ExcessMTL {
  readonly name = "excessMTL";
  private readonly robustStepSize: number;
  private readonly warmupSteps: number;
  /** Roots of the sums of squares, as AdaGrad's diagonal is. */
  private roots?: tf.Tensor[][];
  private weights?: Float64Array;
  private initial?: Float64Array;
  private observed?: Float64Array;
  private steps = 0;

  constructor(options: ExcessMTLOptions = {}) {
    const { robustStepSize = 1, warmupSteps = 0 } = checkOptions<ExcessMTLOptions>("ExcessMTL", options, {
      robustStepSize: true,
      warmupSteps: true,
    });
    this.robustStepSize = checkFloat("ExcessMTL: robustStepSize", robustStepSize, { above: 0 });
    this.warmupSteps = checkNumber("ExcessMTL: warmupSteps", warmupSteps, { min: 0, integer: true });
  }

  /**
   * The weighted sum of the gradients, with one readback.
   *
   * @param gradients of each loss, the same tensors' in the same order; the caller keeps them
   * @returns the combined gradient, which the caller disposes, and the weights
   */
  async combine(
    gradients: readonly (readonly tf.Tensor[])[],
  ): Promise<{ gradients: tf.Tensor[]; weights: Float64Array }> {
    const m = gradients.length;
    checkNumber("ExcessMTL: the number of losses", m, { min: 1, integer: true });
    const known = this.roots;
    if (known && (known.length !== m || known.some((list, i) => list.length !== gradients[i].length))) {
      throw new Error("ExcessMTL: expected as many losses and tensors as in the step before");
    }
    const roots = gradients.map((list, i) =>
      list.map((g, at) => tf.tidy(() => (known ? hypotenuse(known[i][at], g) : tf.abs(g)))),
    );
    const risks = tf.tidy(() =>
      tf.stack(
        gradients.map((list, i) =>
          tf.addN(
            list.map((g, at) =>
              tf.sum(tf.mul(g, tf.div(g, hypotenuse(roots[i][at], tf.scalar(rootEpsilon))))),
            ),
          ),
        ),
      ),
    );
    const values = Float64Array.from(await risks.data());
    risks.dispose();
    const broken = values.findIndex((value) => !Number.isFinite(value));
    if (broken >= 0) {
      tf.dispose(roots);
      throw new Error(`ExcessMTL: the gradient of loss ${broken} is not finite`);
    }
    tf.dispose(known ?? []);
    this.roots = roots;
    const weights = this.nextWeights(values);
    return { gradients: combineGradients(gradients, weights), weights };
  }

  private nextWeights(risks: Float64Array): Float64Array {
    const m = risks.length;
    const weights = this.weights ?? new Float64Array(m).fill(1 / m);
    if (this.steps++ < this.warmupSteps) {
      const observed = this.observed ?? new Float64Array(m);
      this.observed = observed.map((value, i) => value + risks[i]);
      this.weights = weights;
      return weights;
    }
    let excess = risks;
    if (this.initial || this.warmupSteps > 0) {
      this.initial ??= this.observed!.map((value) => value / this.warmupSteps);
      const initial = this.initial;
      excess = risks.map((risk, i) => risk / (initial[i] + epsilon));
    } else {
      this.initial = risks;
    }
    this.weights = softmax(weights.map((weight, i) => Math.log(weight) + excess[i] * this.robustStepSize));
    return this.weights;
  }

  /** Frees its tensors. */
  dispose(): void {
    tf.dispose(this.roots ?? []);
    this.roots = undefined;
  }
}
