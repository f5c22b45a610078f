import * as tf from "@tensorflow/tfjs-core";
import { describe } from "../shared/check-options.js";
import {
  apartFromTape,
  isRecording,
  record,
  refuseSecondOrder,
  unrecorded,
  visitOps,
} from "../shared/gradients-tape.js";
import { recordDraws } from "./repeat-draws.js";
import { activationStorage, float16Activations } from "./store-as.js";

type Result = tf.Tensor | tf.Tensor[];

/**
 * Runs `fn` without keeping its intermediate tensors, and runs it once more when the gradient is asked for (gradient checkpointing;
 * Chen et al. 2016, "Training deep nets with sublinear memory cost", section 4; `torch.utils.checkpoint`). A stack of blocks
 * then holds one tensor for each block and the intermediates of one block, at the price of one more forward pass.
 *
 * Value and gradients are those of `fn(...inputs)`: at the inputs, and at each `tf.Variable` or `Parameter` that `fn` reads. What
 * needs no gradient costs none. Where nothing is differentiated, `fn` simply runs.
 *
 * Both runs draw the same random numbers from every `Random` and from `Math.random` (which `tf.dropout` is seeded from), and the
 * second leaves the streams where it found them.
 *
 * @param fn a function of its inputs, of variables and of constants, not async, that does the same when it is called again. It
 * returns a tensor or an array of tensors; `tf.tidy` frees its intermediates.
 * @param inputs every tensor that `fn` reads and that a gradient passes through. Other tensors that it reads are constants, and
 * must live until the backward pass. The caller keeps them all.
 * @returns what `fn` returns; the caller disposes it. First-order gradients only.
 * @throws in the backward pass: when the gradient passes through a tensor that `fn` reads but that is not among `inputs`, when
 * such a tensor was disposed, or when a second derivative is asked for.
 *
 * @example
 * for (const layer of layers) x = checkpoint((x) => layer.forward(x), [x]);
 */
export function checkpoint<T extends Result, I extends tf.Tensor[]>(
  fn: (...inputs: I) => T,
  inputs: readonly [...I],
): T {
  if (typeof fn !== "function") throw new TypeError(`checkpoint: fn must be a function, got ${describe(fn)}`);
  if (!Array.isArray(inputs)) {
    throw new TypeError(`checkpoint: inputs must be an array of tensors, got ${describe(inputs)}`);
  }
  if (!isRecording()) return run(fn, inputs);
  // The backward pass is no longer inside the caller's `float16Activations`.
  const storage = activationStorage();
  return tf.tidy(() => {
    const saved = unrecorded(() => inputs.map((x) => tf.keep(tf.clone(x))));
    const variables = new Set<tf.Variable>();
    const constants = new Set<tf.Tensor>();
    const firstOwn = tf.scalar(0).id;
    const ownInputs = new Set(saved.map(({ id }) => id));
    const firstRun = () =>
      visitOps(
        () => recordDraws(() => run(fn, saved)),
        ({ inputs }) => {
          for (const x of Object.values(inputs)) {
            if (x instanceof tf.Variable) variables.add(x);
            else if (x.id < firstOwn && !ownInputs.has(x.id)) constants.add(x);
          }
        },
      );
    const { result, repeat } = orDispose(saved, firstRun);
    const sources = [...inputs, ...variables, ...constants];
    /** The second run is differentiated at these, one for each of the sources. */
    const points = [...saved, ...variables, ...constants];
    record({
      kernelName: "Checkpoint",
      inputs: Object.fromEntries(sources.entries()),
      outputs: [result].flat(),
      saved,
      gradient(dys) {
        const needed = Object.keys(this.inputs).map(Number);
        checkConstants(constants, (x) => needed.includes(sources.indexOf(x, inputs.length)));
        const again = () => repeat(() => run(fn, saved));
        const gradients = vectorJacobian(
          () => (storage === "float16" ? float16Activations(again) : again()),
          needed.map((i) => points[i]),
          dys,
        );
        refuseSecondOrder("checkpoint", gradients, [...sources, ...dys.filter((dy) => dy !== null)]);
        return Object.fromEntries(needed.map((source, i) => [source, () => gradients[i]]));
      },
    });
    return result;
  });
}

/** `fn` in a scope of its own. What it returns of others' tensors is cloned, so that the caller owns every result. */
function run<T extends Result, I extends tf.Tensor[]>(
  fn: (...inputs: I) => T,
  inputs: readonly tf.Tensor[],
): T {
  return tf.tidy(() => {
    const firstOwn = tf.scalar(0).id;
    const result = fn(...(inputs as I));
    const own = (y: unknown) => {
      if (!(y instanceof tf.Tensor)) {
        throw new TypeError("checkpoint: fn must return a tensor or an array of tensors");
      }
      return y.id < firstOwn ? tf.clone(y) : y;
    };
    return (Array.isArray(result) ? result.map(own) : own(result)) as T;
  });
}

function checkConstants(constants: Iterable<tf.Tensor>, needsGradient: (x: tf.Tensor) => boolean): void {
  for (const x of constants) {
    const fault = x.isDisposed
      ? "was disposed before the backward pass"
      : needsGradient(x) && "a gradient passes through";
    if (fault) {
      throw new Error(
        `checkpoint: fn reads a tensor of shape [${x.shape}] that ${fault}; pass it in inputs and read fn's argument`,
      );
    }
  }
}

/** The gradients of `sum_i <dys[i], f()[i]>` at each of `points`, zeros where `f` does not depend on it. */
function vectorJacobian(f: () => Result, points: tf.Tensor[], dys: (tf.Tensor | null)[]): tf.Tensor[] {
  const single = dys.length === 1 ? (dys[0] ?? undefined) : undefined;
  const contracted = () => {
    const outputs = [f()].flat();
    if (single) return outputs[0];
    const terms = outputs.flatMap((y, i) => {
      const dy = dys[i];
      return dy ? [tf.sum(tf.mul(y, dy))] : [];
    });
    return terms.reduce((sum, term) => tf.add(sum, term));
  };
  return tf.tidy(() => {
    const { grads } = apartFromTape(() => tf.engine().gradients(contracted, points, single, true));
    return points.map(({ shape }, i) => grads[i] ?? tf.zeros(shape));
  });
}

/** Runs `f`; where it throws, the tensors that wait for the tape to dispose them are disposed here. */
function orDispose<T>(tensors: tf.Tensor[], f: () => T): T {
  try {
    return f();
  } catch (error) {
    tf.dispose(tensors);
    throw error;
  }
}
