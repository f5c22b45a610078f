import * as tf from "@tensorflow/tfjs-core";
import type { FloatStorage } from "../backend/webgpu/store.js";
import { checkpoint } from "../ops/checkpoint.js";
import { checkStorage, storageOf } from "../ops/store-as.js";
import { Random } from "../random.js";
import { checkOptions, describe } from "../shared/check-options.js";
import { checkStateDict } from "./check-state-dict.js";
import { Parameter } from "./parameter.js";

/** Tensors by their Hugging Face name, in PyTorch's layouts. */
export type StateDict = Record<string, tf.Tensor>;

export interface LoadOptions {
  /** Refuse names that the module does not have. Default true. */
  strict?: boolean;
  /** Read only names that begin with it, without it. Default "". */
  prefix?: string;
}

/** Refuses a tree in which a module holds one that it is a part of: no walk over it would end. */
function checkTree(module: Module, above = new Set<Module>(), path = ""): void {
  above.add(module);
  for (const [name, child] of module.children()) {
    if (above.has(child)) {
      const [root] = above;
      throw new Error(
        `${root!.constructor.name}: ${path}${name} holds a module that it is a part of; keep that in a private field, such as #parent`,
      );
    }
    checkTree(child, above, `${path}${name}.`);
  }
  above.delete(module);
}

/**
 * A model or a part of one: its parameters and children are its own properties (a `Parameter`, a `Module` or
 * an array of modules), and their names are the property paths, equal to Hugging Face's state-dict names. One that needs the module
 * above it keeps it in a private field.
 */
export abstract class Module {
  /** Whether dropout and its like are active. Set by `train()` for the whole tree. Default false. */
  training = false;
  /** Whether its blocks run through `checkpoint`. Set by `enableGradientCheckpointing()` for the whole tree. Default false. */
  gradientCheckpointing = false;

  /** Whether it stands in for another layer until it is merged into it, as a LoRA layer does: its tree is then not saved as a model. */
  get isAdapter(): boolean {
    return false;
  }

  *children(): Iterable<[string, Module]> {
    for (const [name, value] of Object.entries(this)) {
      if (value instanceof Module) yield [name, value];
      else if (Array.isArray(value)) {
        for (const [index, item] of value.entries()) {
          if (item instanceof Module) yield [`${name}.${index}`, item];
        }
      }
    }
  }

  /** Every parameter of the tree with its state-dict name; one that the tree holds twice (tied) has two names. */
  *namedParameters(prefix = ""): Iterable<[string, Parameter]> {
    if (prefix === "") checkTree(this);
    for (const [name, value] of Object.entries(this)) {
      if (value instanceof Parameter) yield [prefix + name, value];
    }
    for (const [name, child] of this.children()) yield* child.namedParameters(`${prefix}${name}.`);
  }

  /** Every parameter of the tree, each once, whatever number of names it has. */
  parameters(): Parameter[] {
    return [...new Set(Array.from(this.namedParameters(), ([, parameter]) => parameter))];
  }

  trainableParameters(): Parameter[] {
    return this.parameters().filter((parameter) => parameter.trainable);
  }

  /** Fills every parameter, in the order of their names' appearance, as PyTorch would by default. */
  initialize(random: Random): this {
    if (!(random instanceof Random)) {
      throw new TypeError(
        `${this.constructor.name}.initialize: random must be a Random, got ${describe(random)}`,
      );
    }
    const done = new Set<Parameter>();
    for (const [name, parameter] of this.namedParameters()) {
      if (done.has(parameter)) continue;
      done.add(parameter);
      const { init } = parameter.options;
      const value = init ? init(parameter.shape, random.fork(name)) : tf.zeros(parameter.shape);
      parameter.assign(value);
      value.dispose();
    }
    return this;
  }

  /**
   * Copies weights in, stored as they are in the dict. Of the names of one tied parameter, the dict needs one.
   * @throws when a weight is missing, is no float32, has another shape, is stored as float16 for a trainable parameter, or (strict)
   * is not the module's; nothing is changed then.
   */
  loadStateDict(dict: StateDict, options: LoadOptions = {}): this {
    const { strict = true, prefix = "" } = checkOptions(`${this.constructor.name}.loadStateDict`, options, {
      strict: "boolean",
      prefix: true,
    });
    checkStateDict(`${this.constructor.name}.loadStateDict`, dict);
    if (typeof prefix !== "string") {
      throw new TypeError(
        `${this.constructor.name}.loadStateDict: prefix must be a string, got ${describe(prefix)}`,
      );
    }
    const all = Array.from(this.namedParameters());
    const given = new Set(all.flatMap(([name, parameter]) => (dict[prefix + name] ? [parameter] : [])));
    const named = all.filter(([name, parameter]) => dict[prefix + name] || !given.has(parameter));
    for (const [name, parameter] of named) {
      const tensor = dict[prefix + name];
      const who = this.constructor.name;
      if (!tensor) throw new Error(`${who}.loadStateDict: weight "${prefix + name}" is missing`);
      if (!(tensor instanceof tf.Tensor)) {
        throw new TypeError(
          `${who}.loadStateDict: weight "${prefix + name}" must be a tensor, got ${describe(tensor)}`,
        );
      }
      if (tensor.isDisposed) throw new Error(`${who}.loadStateDict: weight "${prefix + name}" was disposed`);
      if (tensor.dtype !== "float32") {
        throw new Error(
          `${who}.loadStateDict: weight "${prefix + name}" must be float32, got ${describe(tensor.dtype)}`,
        );
      }
      if (String(tensor.shape) !== String(parameter.stateShape)) {
        throw new Error(
          `${who}.loadStateDict: weight "${prefix + name}" has shape [${tensor.shape}], expected [${parameter.stateShape}]`,
        );
      }
      if (parameter.trainable && storageOf(tensor) === "float16") {
        throw new Error(
          `${who}.loadStateDict: weight "${prefix + name}" is stored as float16, which a trainable parameter must not be; ` +
            "call requiresGrad(false) first",
        );
      }
    }
    if (strict) {
      const known = new Set(all.map(([name]) => prefix + name));
      const unexpected = Object.keys(dict).filter((name) => name.startsWith(prefix) && !known.has(name));
      if (unexpected.length > 0) {
        throw new Error(
          `${this.constructor.name}.loadStateDict: unexpected weight${unexpected.length > 1 ? "s" : ""} ` +
            unexpected.map((name) => `"${name}"`).join(", "),
        );
      }
    }
    tf.tidy(() => {
      // All steps that can fail, such as memory for other layouts, come before the first parameter changes.
      const values = named.map(([name, parameter]) => parameter.inMemory(dict[prefix + name]));
      for (const [i, [, parameter]] of named.entries()) parameter.assign(values[i]);
    });
    return this;
  }

  /** Fresh tensors by name; the caller disposes them. */
  stateDict(): StateDict {
    // The tidy disposes the first ones where a later parameter has no value.
    return tf.tidy(() =>
      Object.fromEntries(
        Array.from(this.namedParameters(), ([name, parameter]) => [name, parameter.toState()]),
      ),
    );
  }

  /**
   * Stores every parameter of the tree as float16, in half the memory, or as float32 again; see the function `storeAs`.
   * @throws for float16 where a parameter is trainable or the device cannot; nothing is changed then.
   */
  storeAs(storage: FloatStorage): this {
    checkStorage(`${this.constructor.name}.storeAs`, storage);
    const named = Array.from(this.namedParameters());
    const [trainable] = named.find(([, parameter]) => parameter.trainable) ?? [];
    if (storage === "float16" && trainable !== undefined) {
      throw new Error(
        `${this.constructor.name}.storeAs: parameter "${trainable}" is trainable, but steps would be lost in float16 storage; ` +
          "call requiresGrad(false) first",
      );
    }
    for (const [, parameter] of named) parameter.storeAs(storage);
    return this;
  }

  /** Freezes (`false`) or thaws (`true`) every parameter of the tree. */
  requiresGrad(flag: boolean): this {
    for (const parameter of this.parameters()) parameter.trainable = flag;
    return this;
  }

  train(mode = true): this {
    checkTree(this);
    this.training = mode;
    for (const [, child] of this.children()) child.train(mode);
    return this;
  }

  /**
   * Trades time for memory when gradients are computed: each block of a stack in the tree keeps its inputs only, and runs a second
   * time in the backward pass; see the function `checkpoint`. Values and gradients stay the same, dropout masks included.
   * (diffusers' `enable_gradient_checkpointing`, transformers' `gradient_checkpointing_enable`; it does not depend on `training`.)
   *
   * @param flag false switches it off again.
   */
  enableGradientCheckpointing(flag = true): this {
    checkTree(this);
    this.gradientCheckpointing = flag;
    for (const [, child] of this.children()) child.enableGradientCheckpointing(flag);
    return this;
  }

  /**
   * Runs one block of a stack, for `forward` of the module that owns the stack: through `checkpoint` where it is enabled.
   *
   * @param block a function of its inputs, of weights and of constants.
   * @param inputs every tensor that the block reads and that a gradient may pass through.
   *
   * @example
   * for (const layer of this.layers) x = this.runBlock((x) => layer.forward(x), [x]);
   */
  protected runBlock<T extends tf.Tensor | tf.Tensor[], I extends tf.Tensor[]>(
    block: (...inputs: I) => T,
    inputs: readonly [...I],
  ): T {
    return this.gradientCheckpointing ? checkpoint(block, inputs) : block(...(inputs as I));
  }

  /** Frees every parameter of the tree. A module that holds other tensors overrides it to free them too. */
  dispose(): void {
    checkTree(this);
    for (const value of Object.values(this)) if (value instanceof Parameter) value.dispose();
    for (const [, child] of this.children()) child.dispose();
  }
}
