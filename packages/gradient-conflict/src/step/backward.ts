import * as tf from "@tensorflow/tfjs-core";
import {
  type Aggregator,
  type AggregatorContext,
  combineGradients,
  weighWith,
} from "../aggregators/aggregator.js";
import type { ElementwiseAggregator } from "../aggregators/elementwise.js";
import type { ExcessMTL } from "../aggregators/excess-mtl.js";
import { weightedSum } from "../aggregators/weighted-sum.js";
import {
  conflictFromGram,
  conflictFromGroupedGram,
  type GradientConflict,
  gramMatrix,
  readGrams,
} from "../measure/conflict.js";
import { differentiate, groupsOf, inputsOf } from "../measure/loss-gradients.js";
import { projectionFrom, type StepProjection, stepProjection } from "../measure/projection.js";
import { checkChoice, checkNumber, checkOptions, describe } from "../shared/check-options.js";
import type { Trainable } from "../shared/trainable.js";
import { type Features, featureTensors, runTrunk, trunkGradients } from "./features.js";

/** Anything that makes one gradient of several. */
export type StepAggregator = Aggregator | ElementwiseAggregator | ExcessMTL;

/** Losses by name, functions of the features where there is a trunk. Each is run once. */
export type Losses<F extends Features = never> = Readonly<Record<string, (features: F) => tf.Scalar>>;

export interface BackwardOptions<F extends Features = never> {
  /** The variables that the losses share: by name, or a list, named by position. */
  variables: Readonly<Record<string, Trainable>> | readonly Trainable[];
  /**
   * Variables outside the conflict, such as each loss's own head, by names of their own. Their gradient is the plain sum of the losses',
   * whatever the weights are (as in TorchJD's `mtl_backward`). Default: none.
   */
  heads?: Readonly<Record<string, Trainable>>;
  /** Default: `weightedSum()`. */
  aggregator?: StepAggregator;
  /**
   * The part of the model that the losses share. It runs twice, so it must give the same features both times (dropout: with a fixed
   * seed), and is differentiated once.
   */
  trunk?: () => F;
  /**
   * Where the gradients are compared when there is a trunk. `"features"` (the default) costs one pass through the trunk for any number of
   * losses; `"variables"` costs one for each loss, and is what happens without a trunk.
   */
  gramAt?: "features" | "variables";
  /** The group, such as the layer, of the variable of this name. Gradients must be compared at the variables. Default: no groups. */
  groups?: (variable: string) => string | undefined;
  /** Which step this is, from 0; seeds random draws. Default 0. */
  step?: number;
  /** The `memory` that the step before returned, where it returned one. */
  memory?: readonly number[];
}

/** The measures of a step, as plain data. */
export interface StepMeasures {
  /** The losses' values. */
  values: Record<string, number>;
  /** How the gradients compare (norms, cosines), before they are weighed. */
  conflict: GradientConflict;
  /** The share of each gradient that the step's direction keeps, where the gradients were compared. */
  projection: StepProjection;
  /** Weights of the losses' gradients; absent for elementwise aggregators. */
  weights?: Record<string, number>;
  /** The next step's `memory`, where the aggregator has one. Plain numbers, to be saved with a run. */
  memory?: number[];
}

export interface BackwardResult extends StepMeasures {
  /** The step's gradient, for each of `variables` and then of `heads`, by name. The caller disposes them. */
  gradients: Record<string, tf.Tensor>;
}

/**
 * One step's gradient of several losses: differentiates each, compares the gradients, and combines them as the aggregator says.
 *
 * `m` forward and backward passes of the losses, and with a trunk two of its forward passes and one backward pass. Values and inner products, and so the
 * weights, take one readback. What comes out of a trunk's backward pass is checked with a second, and the projection of an elementwise
 * aggregator takes one of its own.
 *
 * @returns values, conflict, weights and memory as plain data, and the gradients, which the caller disposes; all else is disposed here
 * @throws when a loss or its gradient is not finite, with the loss's name; the aggregator's state does not change then
 *
 * @example
 * const losses = { con: (features) => supCon(features, labels), rec: (features) => reconstruction(features, x) };
 * const { gradients, values, weights, memory } = await backward(losses, {
 *   trunk: () => encoder.forward(x),
 *   variables: Object.fromEntries(encoder.namedParameters()),
 *   aggregator: upgrad(),
 * });
 */
export async function backward<F extends Features = never>(
  losses: Losses<F>,
  options: BackwardOptions<F>,
): Promise<BackwardResult> {
  if (typeof losses !== "object" || losses === null) {
    throw new TypeError(`backward: losses must be functions by name, got ${describe(losses)}`);
  }
  const { trunk, aggregator, groups, step, memory, gramAt, shared, heads } = checkBackward(options);
  const names = Object.keys(losses);
  const owned = new Set<tf.Tensor>();
  const own = <T extends tf.Tensor>(tensor: T): T => {
    owned.add(tensor);
    return tensor;
  };
  try {
    const features = trunk && gramAt === "features" ? runTrunk(trunk) : undefined;
    const at = features ? featureTensors(features).map(own) : [];
    const inputs = [...at, ...shared.tensors, ...heads.tensors];
    const functions = Object.fromEntries(
      Object.entries(losses).map(([name, loss]) => [
        name,
        // `differentiate` names a loss that is no function.
        typeof loss === "function" ? () => loss((features ?? trunk?.()) as F) : loss,
      ]),
    );
    const { values, gradients } = differentiate("backward", functions, inputs);
    for (const x of [...values, ...gradients.flat()]) if (x) own(x);

    const compare = features ? at : shared.tensors;
    const compared = gradients.map((list) =>
      compare.map((tensor, i) => list[i] ?? own(tf.zerosLike(tensor))),
    );
    if (features) {
      const apart = gradients.findIndex((list) => at.every((_, i) => !list[i]));
      if (apart >= 0) {
        throw new Error(
          `backward: loss ${JSON.stringify(names[apart])} does not depend on the features; expected that of every loss, or gramAt "variables"`,
        );
      }
    }
    // Gradients that are not compared must be finite too, or they would spoil the weights.
    const beside = gradients.map((list) => list.slice(compare.length).filter((x) => x !== undefined));
    const finite = beside.map((list) => own(finiteness(list)));
    const read = await readGrams(compared, {
      groups: groupsOf("backward", shared.names, groups),
      scalars: [...values, ...finite],
    });
    const lossValues = read.scalars.subarray(0, names.length);
    for (const [i, name] of names.entries()) {
      checkNumber(`backward: loss ${JSON.stringify(name)}`, lossValues[i]);
      if (Number.isFinite(read.scalars[names.length + i])) continue;
      throw new Error(`backward: the gradient of loss ${JSON.stringify(name)} is not finite`);
    }
    const conflict = groups ? conflictFromGroupedGram(names, read) : conflictFromGram(names, read.whole);

    const combined = await combine(aggregator, compared, read.whole, {
      step,
      memory,
      names,
      losses: lossValues,
    });
    combined.gradients.forEach(own);
    const direct = (i: number) => gradients.map((list) => list[at.length + i]);
    const result: Record<string, tf.Tensor> = {};
    if (features) {
      const carried = trunkGradients(trunk!, combined.gradients, shared.tensors);
      for (const x of carried) if (x) own(x);
      if (shared.tensors.every((_, i) => [carried[i], ...direct(i)].every((x) => x === undefined))) {
        throw new Error("backward: the trunk's features depend on none of the variables");
      }
      for (const [i, tensor] of shared.tensors.entries()) {
        result[shared.names[i]] = own(sumOf([carried[i], ...direct(i)], [1, ...combined.weights!], tensor));
      }
      await checkFinite(result);
    } else {
      for (const [i, name] of shared.names.entries()) result[name] = combined.gradients[i];
    }
    const ones = new Array<number>(names.length).fill(1);
    for (const [i, tensor] of heads.tensors.entries()) {
      result[heads.names[i]] = own(sumOf(direct(shared.tensors.length + i), ones, tensor));
    }
    const projection = combined.weights
      ? stepProjection(names, read.whole, combined.weights)
      : await measuredProjection(names, compared, combined.gradients);
    for (const x of Object.values(result)) owned.delete(x);
    const byName = (list: Float64Array) => Object.fromEntries(names.map((name, i) => [name, list[i]]));
    return {
      gradients: result,
      values: byName(lossValues),
      conflict,
      projection,
      ...(combined.weights && { weights: byName(combined.weights) }),
      ...(combined.memory && { memory: combined.memory }),
    };
  } finally {
    tf.dispose([...owned]);
  }
}

function checkBackward<F extends Features>(options: BackwardOptions<F>) {
  const checked = checkOptions<BackwardOptions<F>>("backward", options, {
    variables: true,
    heads: true,
    aggregator: true,
    trunk: "function",
    gramAt: true,
    groups: "function",
    step: true,
    memory: true,
  });
  const { trunk, aggregator = weightedSum(), groups, step = 0, memory } = checked;
  if (memory !== undefined && !Array.isArray(memory)) {
    throw new TypeError(`backward: memory must be an array of numbers, got ${describe(memory)}`);
  }
  if (typeof aggregator !== "object") {
    const hint = typeof aggregator === "function" ? "; call it, as in upgrad()" : "";
    throw new TypeError(`backward: aggregator must be an aggregator, got ${describe(aggregator)}${hint}`);
  }
  const gramAt = checkChoice("backward: gramAt", checked.gramAt ?? (trunk ? "features" : "variables"), [
    "features",
    "variables",
  ]);
  if (gramAt === "features" && !trunk) throw new Error('backward: gramAt "features" needs a trunk');
  if (gramAt === "features" && groups) {
    throw new Error('backward: groups are of variables; expected gramAt "variables" with them');
  }
  if (!("weigh" in aggregator)) {
    if (typeof aggregator.combine !== "function") {
      throw new TypeError(`backward: aggregator must be an aggregator, got ${describe(aggregator)}`);
    }
    if (gramAt === "features") {
      throw new Error(
        `backward: ${aggregator.name} combines gradients of variables; expected gramAt "variables" with it`,
      );
    }
    if (memory) throw new Error(`backward: ${aggregator.name} takes no memory, got one`);
  }
  checkNumber("backward: step", step, { min: 0, integer: true });
  const { shared, heads } = inputsOfStep(checked);
  return { trunk, aggregator, groups, step, memory, gramAt, shared, heads };
}

/** The tensors of `variables` and `heads`, in the order of a step's gradients. @throws when a tensor or a name is in both */
export function inputsOfStep<F extends Features>({
  variables,
  heads: own = {},
}: Pick<BackwardOptions<F>, "variables" | "heads">) {
  const shared = inputsOf("backward: variables", variables);
  const isEmpty = typeof own === "object" && own !== null && Object.keys(own).length === 0;
  const heads = isEmpty ? { names: [], tensors: [] } : inputsOf("backward: heads", own);
  const both = heads.names.find(
    (name, i) => shared.names.includes(name) || shared.tensors.includes(heads.tensors[i]),
  );
  if (both !== undefined) {
    throw new Error(`backward: heads[${JSON.stringify(both)}] is among the variables too`);
  }
  return { shared, heads };
}

async function combine(
  aggregator: StepAggregator,
  gradients: readonly (readonly tf.Tensor[])[],
  gram: Float64Array,
  context: AggregatorContext,
): Promise<{ gradients: tf.Tensor[]; weights?: Float64Array; memory?: number[] }> {
  if ("weigh" in aggregator) {
    const weighting = weighWith("backward", aggregator, gram, context);
    return { ...weighting, gradients: combineGradients(gradients, weighting.weights) };
  }
  const result = await aggregator.combine(gradients, context);
  return Array.isArray(result) ? { gradients: result } : result;
}

/** The sum of differences of values from themselves: 0, and not finite where a value is not. A sum of values could overflow. */
function finiteness(tensors: readonly tf.Tensor[]): tf.Tensor {
  return tf.tidy(() => tf.addN([tf.scalar(0), ...tensors.map((x) => tf.sum(tf.sub(x, x)))]));
}

/** The weighted sum of the tensors that are there, or zeros like `like`. */
function sumOf(tensors: (tf.Tensor | undefined)[], weights: number[], like: tf.Tensor): tf.Tensor {
  const lists = tensors.flatMap((x, i) => (x ? [{ x, weight: weights[i] }] : []));
  if (lists.length === 0) return tf.zerosLike(like);
  return combineGradients(
    lists.map(({ x }) => [x]),
    lists.map(({ weight }) => weight),
  )[0];
}

/** @throws with the variable's name */
async function checkFinite(gradients: Record<string, tf.Tensor>): Promise<void> {
  const sizes = tf.tidy(() => tf.stack(Object.values(gradients).map((x) => finiteness([x]))));
  const values = await sizes.data();
  sizes.dispose();
  const broken = values.findIndex((value) => !Number.isFinite(value));
  if (broken < 0) return;
  throw new Error(
    `backward: the trunk's gradient at ${JSON.stringify(Object.keys(gradients)[broken])} is not finite`,
  );
}

/** The projection of a direction that no weights express. */
async function measuredProjection(
  names: readonly string[],
  gradients: readonly (readonly tf.Tensor[])[],
  direction: readonly tf.Tensor[],
): Promise<StepProjection> {
  const m = names.length;
  const gram = await gramMatrix([...gradients, direction]);
  return projectionFrom(names, {
    inner: names.map((_, i) => gram[i * (m + 1) + m]),
    norms: names.map((_, i) => Math.sqrt(gram[i * (m + 2)])),
    squared: gram[m * (m + 2)],
  });
}
