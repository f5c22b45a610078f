import * as tf from "@tensorflow/tfjs-core";
import { checkFloat } from "../shared/check-float.js";
import { checkNumber, checkOptions } from "../shared/check-options.js";
import { combineGradients } from "./aggregator.js";
import { checkGradients } from "./check-gradients.js";
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

/** The state that the weights of the next step depend on, beside its risks. */
interface State {
  steps: number;
  weights?: Float64Array;
  /** The risks that later ones are divided by. */
  initial?: Float64Array;
  /** The sum of the risks of the warm-up. */
  observed?: Float64Array;
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
  private state: State = { steps: 0 };
  private isDisposed = false;

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
   * @throws when it is disposed, when a gradient is not finite, and when shapes differ, between losses or from the step before; its state
   *   does not change then
   */
  async combine(
    gradients: readonly (readonly tf.Tensor[])[],
  ): Promise<{ gradients: tf.Tensor[]; weights: Float64Array }> {
    this.checkUse();
    checkGradients("ExcessMTL", gradients);
    const known = this.roots;
    const shapes = (lists: readonly (readonly tf.Tensor[])[]) =>
      lists.map((list) => list.map((x) => `[${x.shape}]`).join(" ")).join(", ");
    if (known && shapes(known) !== shapes(gradients)) {
      throw new Error(
        `ExcessMTL: expected gradients as in the step before, ${shapes(known)}, got ${shapes(gradients)}`,
      );
    }
    const roots = tf.tidy(() =>
      gradients.map((list, i) => list.map((g, at) => (known ? hypotenuse(known[i][at], g) : tf.abs(g)))),
    );
    try {
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
      this.checkUse();
      const broken = values.findIndex((value) => !Number.isFinite(value));
      if (broken >= 0) throw new Error(`ExcessMTL: the gradient of loss ${broken} is not finite`);
      const { weights, state } = this.next(values);
      const combined = combineGradients(gradients, weights);
      tf.dispose(known ?? []);
      this.roots = roots;
      this.state = state;
      return { gradients: combined, weights };
    } catch (error) {
      tf.dispose(roots);
      throw error;
    }
  }

  private checkUse(): void {
    if (this.isDisposed) throw new Error("ExcessMTL: it is disposed; make a new one");
  }

  private next(risks: Float64Array): { weights: Float64Array; state: State } {
    const m = risks.length;
    const { steps, initial: first, observed = new Float64Array(m) } = this.state;
    const weights = this.state.weights ?? new Float64Array(m).fill(1 / m);
    if (steps < this.warmupSteps) {
      const sum = observed.map((value, i) => value + risks[i]);
      return { weights, state: { steps: steps + 1, weights, observed: sum } };
    }
    const initial =
      first ?? (this.warmupSteps > 0 ? observed.map((value) => value / this.warmupSteps) : risks);
    // At the very first step there is nothing to divide by yet.
    const isFirst = !first && this.warmupSteps === 0;
    const excess = isFirst ? risks : risks.map((risk, i) => risk / (initial[i] + epsilon));
    const moved = softmax(weights.map((weight, i) => Math.log(weight) + excess[i] * this.robustStepSize));
    return { weights: moved, state: { steps: steps + 1, weights: moved, initial } };
  }

  /** Frees its tensors. It cannot be used any more. */
  dispose(): void {
    tf.dispose(this.roots ?? []);
    this.roots = undefined;
    this.isDisposed = true;
  }
}
