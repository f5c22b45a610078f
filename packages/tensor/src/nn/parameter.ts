import * as tf from "@tensorflow/tfjs-core";
import type { FloatStorage } from "../backend/webgpu/store.js";
import { storageOf, storeAs } from "../ops/store-as.js";
import type { Random } from "../random.js";
import { checkChoice, checkNumbers, checkOptions, describe } from "../shared/check-options.js";

/** Fills a parameter: given its in-memory shape and a source of randomness, returns its first value. */
export type Initializer = (shape: number[], random: Random) => tf.Tensor;

export interface ParameterOptions {
  /** How `Module.initialize` fills it; zeros when left out. */
  init?: Initializer;
  /** `"OIHW"`: held as HWIO in memory, as tfjs convolves, and as PyTorch's OIHW in state dicts. */
  layout?: "OIHW";
}

/**
 * A weight of a model. It has a shape from the start, and memory only once it is initialised or loaded,
 * so that a large checkpoint is never preceded by a random fill of the same size.
 */
export class Parameter {
  readonly options: ParameterOptions;
  private isTrainable = true;
  private variable?: tf.Variable;

  /** @param shape the in-memory shape. */
  constructor(
    readonly shape: number[],
    options: ParameterOptions = {},
  ) {
    checkNumbers("Parameter: shape", shape, { min: 0, integer: true });
    this.options = checkOptions("Parameter", options, { init: "function", layout: true });
    if (this.options.layout !== undefined) checkChoice("Parameter: layout", this.options.layout, ["OIHW"]);
  }

  /** Whether `trainableParameters` lists it; frozen parameters get no gradient and cost none. One stored as float16 must be frozen. */
  get trainable(): boolean {
    return this.isTrainable;
  }

  set trainable(flag: boolean) {
    if (flag) this.checkTrainable("trainable", this.storage);
    this.isTrainable = flag;
  }

  /** How its value is stored. */
  get storage(): FloatStorage {
    return this.variable ? storageOf(this.variable) : "float32";
  }

  /** See the function `storeAs`. Throws for float16 while it is trainable. */
  storeAs(storage: FloatStorage): void {
    tf.tidy(() => this.assign(storeAs(this.value as tf.Tensor, storage)));
  }

  private checkTrainable(caller: string, storage: FloatStorage): void {
    if (storage === "float32") return;
    throw new Error(
      `Parameter.${caller}: a parameter of shape [${this.shape}] is trainable, but steps would be lost in float16 storage; ` +
        'freeze it first (requiresGrad(false)), or store it as "float32"',
    );
  }

  /** The variable that ops read. Throws until `initialize` or `loadStateDict` gave it a value. */
  get value(): tf.Variable {
    if (!this.variable) {
      throw new Error(
        `Parameter: a parameter of shape [${this.shape}] was read before initialize() or loadStateDict()`,
      );
    }
    return this.variable;
  }

  get isMaterialized(): boolean {
    return this.variable !== undefined;
  }

  /** Takes on a tensor's value and storage, of this parameter's in-memory shape; the caller keeps the tensor. */
  assign(tensor: tf.Tensor): void {
    if (!(tensor instanceof tf.Tensor)) {
      throw new TypeError(`Parameter.assign: expected a tensor, got ${describe(tensor)}`);
    }
    if (tensor.dtype !== "float32") {
      throw new Error(`Parameter.assign: expected float32, got ${tensor.dtype} [${tensor.shape}]`);
    }
    if (!tf.util.arraysEqual(tensor.shape, this.shape)) {
      throw new Error(`Parameter.assign: expected shape [${this.shape}], got [${tensor.shape}]`);
    }
    if (this.isTrainable) this.checkTrainable("assign", storageOf(tensor));
    // The variable shares the tensor's memory, by reference count.
    if (this.variable) this.variable.assign(tensor);
    else this.variable = tf.variable(tensor);
  }

  /** The shape that a state dict holds it in. */
  get stateShape(): number[] {
    const [h, w, i, o] = this.shape;
    return this.options.layout === "OIHW" ? [o, i, h, w] : this.shape;
  }

  /** A fresh tensor in state-dict layout; the caller disposes it. */
  toState(): tf.Tensor {
    return this.options.layout === "OIHW" ? tf.transpose(this.value, [3, 2, 0, 1]) : tf.clone(this.value);
  }

  /** Copies a tensor in state-dict layout into it; the caller keeps the tensor. */
  fromState(tensor: tf.Tensor): void {
    tf.tidy(() => this.assign(this.inMemory(tensor)));
  }

  /** A tensor in state-dict layout as it lies in memory: a fresh tensor, or the same. */
  inMemory(tensor: tf.Tensor): tf.Tensor {
    return this.options.layout === "OIHW" ? tf.transpose(tensor, [2, 3, 1, 0]) : tensor;
  }

  dispose(): void {
    this.variable?.dispose();
    this.variable = undefined;
  }
}
