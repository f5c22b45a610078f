import * as tf from "@tensorflow/tfjs-core";
import { keepFullPrecision } from "../io/full-precision.js";
import { checkStateDict } from "../nn/check-state-dict.js";
import type { StateDict } from "../nn/module.js";
import { Parameter } from "../nn/parameter.js";
import { adamWStep } from "../ops/adamw-step.js";
import { checkFloatTensors } from "../ops/check-float-tensors.js";
import { storageOf } from "../ops/store-as.js";
import { checkNumber, checkNumbers, checkOptions, describe } from "../shared/check-options.js";

export interface AdamWOptions {
  /** At least 0. Default 1e-3. */
  learningRate?: number;
  /** Decay rates of the two moments, each in [0, 1). Default [0.9, 0.999]. */
  betas?: readonly [number, number];
  /** Added to the denominator; at least 0. Default 1e-8. */
  epsilon?: number;
  /** Decoupled decay, at least 0. Default 0.01. */
  weightDecay?: number;
}

/** Adam with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2), as `torch.optim.AdamW` computes it. */
export class AdamW {
  private readonly first: tf.Variable[];
  private readonly second: tf.Variable[];
  private readonly options: Required<AdamWOptions>;
  /** Steps taken. */
  stepCount = 0;

  /** @throws when a parameter is listed twice, or an option is unknown or out of its range. */
  constructor(
    private readonly parameters: readonly Parameter[],
    options: AdamWOptions = {},
  ) {
    const given = checkOptions("AdamW", options, {
      learningRate: true,
      betas: true,
      epsilon: true,
      weightDecay: true,
    });
    this.options = { learningRate: 1e-3, betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0.01, ...given };
    const { learningRate, betas, epsilon, weightDecay } = this.options;
    for (const [name, value] of Object.entries({ learningRate, epsilon, weightDecay })) {
      checkNumber(`AdamW: ${name}`, value, { min: 0 });
    }
    checkNumbers("AdamW: betas", betas, { min: 0, below: 1 });
    if (betas.length !== 2) throw new RangeError(`AdamW: betas must be two numbers, got ${betas.length}`);
    if (!Array.isArray(parameters)) {
      throw new TypeError(`AdamW: parameters must be an array of Parameters, got ${describe(parameters)}`);
    }
    for (const [i, parameter] of parameters.entries()) {
      if (!(parameter instanceof Parameter)) {
        throw new TypeError(`AdamW: parameter ${i} must be a Parameter, got ${describe(parameter)}`);
      }
      const first = parameters.indexOf(parameter);
      if (first < i) throw new Error(`AdamW: parameters ${first} and ${i} are the same; list it once`);
    }
    const moment = (parameter: Parameter) => tf.tidy(() => tf.variable(tf.zeros(parameter.shape), false));
    this.first = parameters.map(moment);
    this.second = parameters.map(moment);
  }

  /**
   * Updates every parameter. Beside the moments it needs memory for a few tensors of the largest parameter's size.
   *
   * @param gradients one for each parameter, in the constructor's order; the caller keeps them.
   * @param learningRate for this step; the constructor's by default.
   * @throws when number or shapes of the gradients differ from the parameters' or one is disposed or not float32, when a parameter is
   * disposed, has no value yet or is stored as float16, and after `dispose`; nothing is changed then.
   */
  step(gradients: readonly tf.Tensor[], learningRate = this.options.learningRate): void {
    this.checkAlive("step");
    if (!Array.isArray(gradients)) {
      throw new TypeError(`AdamW.step: gradients must be an array of tensors, got ${describe(gradients)}`);
    }
    if (gradients.length !== this.parameters.length) {
      throw new Error(
        `AdamW.step: expected ${this.parameters.length} gradients, one for each parameter, got ${gradients.length}`,
      );
    }
    for (const [i, { shape, storage, isMaterialized }] of this.parameters.entries()) {
      if (!isMaterialized) throw new Error(`AdamW.step: parameter ${i} [${shape}] has no value yet`);
      if (this.parameters[i].value.isDisposed) {
        throw new Error(`AdamW.step: parameter ${i} [${shape}] is disposed`);
      }
      if (storage === "float16") {
        throw new Error(
          `AdamW.step: parameter ${i} [${shape}] is stored as float16, where steps would be lost`,
        );
      }
      checkFloatTensors("AdamW.step", { [`gradient ${i}`]: gradients[i] });
      if (!tf.util.arraysEqual(gradients[i].shape, shape)) {
        throw new Error(`AdamW.step: gradient ${i} must have shape [${shape}], got [${gradients[i].shape}]`);
      }
    }
    checkNumber("AdamW.step: learningRate", learningRate, { min: 0 });
    this.stepCount++;
    const { betas, epsilon, weightDecay } = this.options;
    const [beta1, beta2] = betas;
    const stepSize = learningRate / (1 - beta1 ** this.stepCount);
    const correction = Math.sqrt(1 - beta2 ** this.stepCount);
    const kept = 1 - learningRate * weightDecay;
    for (const [i, { value }] of this.parameters.entries()) {
      const [first, second] = [this.first[i], this.second[i]];
      // One tidy for each parameter: the replaced tensors of a whole model would outweigh the model.
      tf.tidy(() => {
        const [parameter, newFirst, newSecond] = adamWStep(
          { parameter: value, gradient: gradients[i], first, second },
          { beta1, beta2, epsilon, stepSize, correction, kept },
        );
        value.assign(parameter);
        first.assign(newFirst);
        second.assign(newSecond);
      });
    }
  }

  /** Moments by index and the step count; fresh tensors, the caller disposes them. */
  stateDict(): StateDict {
    const state: StateDict = { step: tf.scalar(this.stepCount, "int32") };
    for (let i = 0; i < this.parameters.length; i++) {
      state[`exp_avg.${i}`] = keepFullPrecision(tf.clone(this.first[i]));
      state[`exp_avg_sq.${i}`] = keepFullPrecision(tf.clone(this.second[i]));
    }
    return state;
  }

  /**
   * Copies a `stateDict()` in; the caller keeps its tensors.
   *
   * @throws when a tensor is missing or unknown, is disposed, has another shape, or holds no number of steps; nothing is changed then.
   */
  loadStateDict(state: StateDict): void {
    this.checkAlive("loadStateDict");
    checkStateDict("AdamW.loadStateDict", state);
    const expected = new Map<string, number[]>([["step", []]]);
    for (const [i, { shape }] of this.parameters.entries()) {
      expected.set(`exp_avg.${i}`, shape).set(`exp_avg_sq.${i}`, shape);
    }
    for (const [name, shape] of expected) {
      const given = state[name];
      if (!given) throw new Error(`AdamW.loadStateDict: "${name}" is missing`);
      if (!(given instanceof tf.Tensor)) {
        throw new TypeError(`AdamW.loadStateDict: "${name}" must be a tensor, got ${describe(given)}`);
      }
      if (given.isDisposed) throw new Error(`AdamW.loadStateDict: "${name}" is disposed`);
      if (!tf.util.arraysEqual(given.shape, shape)) {
        throw new Error(`AdamW.loadStateDict: "${name}" must have shape [${shape}], got [${given.shape}]`);
      }
      if (name !== "step" && given.dtype !== "float32") {
        throw new Error(`AdamW.loadStateDict: "${name}" must be float32, got ${given.dtype}`);
      }
      // Half precision turns small second moments to 0.
      if (storageOf(given) === "float16") {
        throw new Error(
          `AdamW.loadStateDict: "${name}" is stored as float16; read it with storage "float32"`,
        );
      }
    }
    const unknown = Object.keys(state).filter((name) => !expected.has(name));
    if (unknown.length > 0) {
      throw new Error(
        `AdamW.loadStateDict: unexpected ${unknown.map((name) => JSON.stringify(name)).join(", ")}`,
      );
    }
    const step = state["step"].dataSync()[0];
    this.stepCount = checkNumber('AdamW.loadStateDict: "step"', step, { min: 0, integer: true });
    for (let i = 0; i < this.parameters.length; i++) {
      this.first[i].assign(state[`exp_avg.${i}`]);
      this.second[i].assign(state[`exp_avg_sq.${i}`]);
    }
  }

  private checkAlive(method: string): void {
    if (this.first.some(({ isDisposed }) => isDisposed)) {
      throw new Error(`AdamW.${method}: the optimizer is disposed`);
    }
  }

  dispose(): void {
    for (const variable of [...this.first, ...this.second]) variable.dispose();
  }
}
