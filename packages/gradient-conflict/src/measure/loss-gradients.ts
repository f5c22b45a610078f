import * as tf from "@tensorflow/tfjs-core";
import { checkOptions, describe } from "../shared/check-options.js";
import { type Trainable, tensorOf } from "../shared/trainable.js";

export interface LossGradientsOptions {
  /** Losses by name; each is run once. */
  losses: Readonly<Record<string, () => tf.Scalar>>;
  /** The variables to differentiate by: by name, or a list, named by position. */
  variables: Readonly<Record<string, Trainable>> | readonly Trainable[];
}

/** Each loss's value and gradient; the caller disposes the tensors. */
export interface LossGradients {
  losses: string[];
  variables: string[];
  /** In the order of `losses`. */
  values: tf.Scalar[];
  /** By loss, then by variable; zeros where a loss does not depend on a variable. */
  gradients: tf.Tensor[][];
}

/** Tensors by name, in the order of their first names. A tensor under two names, such as a tied weight, counts once. */
export function inputsOf(
  name: string,
  variables: Readonly<Record<string, Trainable>> | readonly Trainable[],
): { names: string[]; tensors: tf.Tensor[] } {
  if (typeof variables !== "object" || variables === null) {
    throw new TypeError(`${name} must be variables by name or a list of them, got ${describe(variables)}`);
  }
  const inputs: { names: string[]; tensors: tf.Tensor[] } = { names: [], tensors: [] };
  for (const [key, trainable] of Object.entries(variables as Record<string, Trainable>)) {
    const own = `${name}[${JSON.stringify(key)}]`;
    const tensor = tensorOf(own, trainable);
    if (tensor.isDisposed) throw new Error(`${own} is disposed`);
    if (tensor.dtype !== "float32") throw new TypeError(`${own} must be float32, got ${tensor.dtype}`);
    if (inputs.tensors.includes(tensor)) continue;
    inputs.names.push(key);
    inputs.tensors.push(tensor);
  }
  if (inputs.names.length === 0) throw new Error(`${name} must not be empty`);
  return inputs;
}

/**
 * Each loss's value and its gradients at the inputs, undefined where it does not depend on one. The caller disposes them.
 *
 * @throws with the loss's name when it is no function or no scalar, or depends on no input
 */
export function differentiate(
  caller: string,
  losses: Readonly<Record<string, () => tf.Scalar>>,
  inputs: tf.Tensor[],
): { values: tf.Scalar[]; gradients: (tf.Tensor | undefined)[][] } {
  if (typeof losses !== "object" || losses === null) {
    throw new TypeError(`${caller}: losses must be functions by name, got ${describe(losses)}`);
  }
  const names = Object.keys(losses);
  if (names.length === 0) throw new Error(`${caller}: losses must not be empty`);
  const result: { values: tf.Scalar[]; gradients: (tf.Tensor | undefined)[][] } = {
    values: [],
    gradients: [],
  };
  try {
    for (const name of names) {
      if (typeof losses[name] !== "function") {
        throw new TypeError(
          `${caller}: losses[${JSON.stringify(name)}] must be a function, got ${describe(losses[name])}`,
        );
      }
      let fault: Error | undefined;
      const run = () => {
        const value: unknown = losses[name]();
        fault = scalarFault(`${caller}: loss ${JSON.stringify(name)}`, value);
        // tfjs leaks what it saved where a function throws. A clone, as the loss may return a tensor that is its caller's.
        return fault ? tf.scalar(0) : tf.clone(value as tf.Scalar);
      };
      // Unlike variableGrads this takes untrainable variables too.
      const { value, grads } = tf.engine().gradients(run, inputs, undefined, true);
      result.values.push(value as tf.Scalar);
      result.gradients.push(grads.map((gradient) => gradient ?? undefined));
      if (fault) throw fault;
      if (grads.every((gradient) => gradient == null)) {
        throw new Error(`${caller}: loss ${JSON.stringify(name)} depends on none of the variables`);
      }
    }
  } catch (error) {
    disposeAll(result);
    throw error;
  }
  return result;
}

/** The error of a loss's value that is no scalar. */
function scalarFault(name: string, value: unknown): Error | undefined {
  if (value instanceof tf.Tensor) {
    if (value.size === 1) return undefined;
    return new Error(`${name} must be a scalar, got shape [${value.shape}]`);
  }
  const how = value instanceof Promise ? "; losses are differentiated as they run, and cannot be async" : "";
  return new TypeError(`${name} must be a scalar tensor, got ${describe(value)}${how}`);
}

/** The group of each variable, as the caller's function names it; undefined without one. */
export function groupsOf(
  caller: string,
  names: readonly string[],
  groups: ((variable: string) => string | undefined) | undefined,
): (string | undefined)[] | undefined {
  return (
    groups &&
    names.map((name) => {
      const group = groups(name);
      if (group === undefined || typeof group === "string") return group;
      throw new TypeError(
        `${caller}: groups must give a name or undefined, got ${describe(group)} for ${JSON.stringify(name)}`,
      );
    })
  );
}

/** Disposes the values and the gradients that are there. */
export function disposeAll(result: { values: tf.Tensor[]; gradients: (tf.Tensor | undefined)[][] }): void {
  tf.dispose([result.values, result.gradients] as tf.TensorContainer);
}

/**
 * The gradient of each loss by itself. A forward and a backward pass for each; memory of all gradients, `O(m n)`.
 *
 * @throws when there is no loss or no variable, and when a loss depends on none of the variables, with the loss's name.
 */
export function lossGradients(options: LossGradientsOptions): LossGradients {
  const { losses, variables } = checkOptions<LossGradientsOptions>("lossGradients", options, {
    losses: true,
    variables: true,
  });
  return gradientsFor("lossGradients", { losses, variables });
}

/** {@link lossGradients} for the function `caller`, whose name its errors bear. */
export function gradientsFor(caller: string, { losses, variables }: LossGradientsOptions): LossGradients {
  const inputs = inputsOf(`${caller}: variables`, variables);
  const { values, gradients } = differentiate(caller, losses, inputs.tensors);
  return {
    losses: Object.keys(losses),
    variables: inputs.names,
    values,
    gradients: gradients.map((list) =>
      list.map((gradient, i) => gradient ?? tf.zerosLike(inputs.tensors[i])),
    ),
  };
}
