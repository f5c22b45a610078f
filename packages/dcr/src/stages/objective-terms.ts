import * as tf from "@tensorflow/tfjs-core";
import { checkScalar } from "../objectives/check-scalar.js";
import type { Objective, ObjectiveInput, ObjectiveTerm } from "../objectives/objective.js";
import { checkNumber, describe } from "../shared/check-options.js";

/** The numbers of a term on the host: this rank's share of each. */
export interface TermValues {
  name: string;
  weight: number;
  /** The term's own value. */
  value: number;
  /** The values that are reported, by the losses' names. */
  values: Record<string, number>;
  metrics: Record<string, number>;
}

/**
 * Asks an objective for its terms and checks them, since it may be anybody's code. The caller disposes their tensors.
 *
 * @throws by the objective's name, where losses are missing, losses or metrics share a name, a figure is no scalar, or gradients have
 *   other shapes than their inputs
 */
export function askObjective(objective: Objective, input: ObjectiveInput): ObjectiveTerm[] {
  const terms = tf.tidy(() => objective.terms(input) as never) as ObjectiveTerm[];
  try {
    checkTerms(objective, input, terms);
  } catch (error) {
    tf.dispose(terms as unknown as tf.TensorContainer);
    throw error;
  }
  return terms;
}

function checkTerms({ name: objective }: Objective, input: ObjectiveInput, terms: ObjectiveTerm[]): void {
  const where = `objective ${objective}`;
  if (!Array.isArray(terms) || terms.length === 0) {
    throw new Error(`${where}: terms must return an array of one loss or more, got ${describe(terms)}`);
  }
  const shapes = {
    features: input.features.shape,
    augmented: input.augmented?.shape,
    conditions: input.predictor?.conditions.shape,
    augmentedConditions: input.predictor?.augmentedConditions?.shape,
  };
  const [names, reported, metricNames] = [new Set<string>(), new Set<string>(), new Set<string>()];
  for (const term of terms) {
    if (typeof term !== "object" || term === null) {
      throw new TypeError(`${where}: a loss must be an object, got ${describe(term)}`);
    }
    const { name, parts, metrics = {} } = term;
    checkLoss(where, term, names);
    if (parts !== undefined && !Array.isArray(parts)) {
      throw new TypeError(`${where}: the parts of ${name} must be an array, got ${describe(parts)}`);
    }
    // A step reports the parts of a sum in its place.
    for (const part of parts ?? [term]) checkLoss(where, part, reported);
    if (typeof metrics !== "object" || metrics === null) {
      throw new TypeError(`${where}: the metrics of ${name} must be an object, got ${describe(metrics)}`);
    }
    for (const [metric, value] of Object.entries(metrics)) {
      checkScalar(`${where}: metric ${metric}`, value);
      if (metricNames.has(metric)) throw new Error(`${where}: two metrics have the name ${metric}`);
      metricNames.add(metric);
    }
    let gradients = 0;
    for (const [key, shape] of Object.entries(shapes)) {
      const gradient = term[key as keyof typeof shapes];
      if (gradient === undefined) continue;
      gradients++;
      if (String(gradient.shape) === String(shape)) continue;
      throw new Error(
        `${where}: the gradient of ${name} at ${key} must be ${shape ? `[${shape}]` : "left out"}, got [${gradient.shape}]`,
      );
    }
    if (gradients === 0) throw new Error(`${where}: ${name} has no gradient`);
  }
}

function checkLoss(
  where: string,
  { name, weight, value }: Pick<ObjectiveTerm, "name" | "weight" | "value">,
  names: Set<string>,
): void {
  if (typeof name !== "string" || name === "") {
    throw new TypeError(`${where}: a loss's name must be a string, got ${describe(name)}`);
  }
  if (names.has(name)) throw new Error(`${where}: two losses have the name ${name}`);
  names.add(name);
  checkNumber(`${where}: the weight of ${name}`, weight);
  checkScalar(`${where}: the loss`, value);
}

/** The terms as one, with the weighted sum of their gradients. The caller disposes the gradients. */
export function weightedSum(terms: readonly ObjectiveTerm[]): ObjectiveTerm {
  return tf.tidy(() => {
    const sum = <T extends tf.Tensor>(pick: (term: ObjectiveTerm) => T | undefined) => {
      const parts = terms.flatMap((term) => {
        const part = pick(term);
        return part ? [tf.mul(part, term.weight)] : [];
      });
      return parts.length > 0 ? (tf.addN(parts) as T) : undefined;
    };
    return {
      name: terms.map(({ name }) => name).join("+"),
      weight: 1,
      value: sum(({ value }) => value)!,
      parts: terms.flatMap(({ name, weight, value, parts }) =>
        (parts ?? [{ name, weight: 1, value }]).map((part) => ({
          ...part,
          weight: weight * part.weight,
          value: tf.clone(part.value),
        })),
      ),
      metrics: Object.assign(
        {},
        ...terms.map(({ metrics = {} }) =>
          Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, tf.clone(value)])),
        ),
      ),
      features: sum(({ features }) => features),
      augmented: sum(({ augmented }) => augmented),
      conditions: sum(({ conditions }) => conditions),
      augmentedConditions: sum(({ augmentedConditions }) => augmentedConditions),
    } as never;
  }) as unknown as ObjectiveTerm;
}

/** Reads a term's values to the host. */
export async function readTerm(term: ObjectiveTerm): Promise<TermValues> {
  const { name, weight, value, parts, metrics = {} } = term;
  const reported = parts ?? [{ name, value }];
  const scalars = [value, ...reported.map((part) => part.value), ...Object.values(metrics)];
  // One read for all: on a GPU each waits for the device.
  const joined = tf.stack(scalars);
  const read = await joined.data().finally(() => joined.dispose());
  const metricNames = Object.keys(metrics);
  return {
    name,
    weight,
    value: read[0],
    values: Object.fromEntries(reported.map((part, i) => [part.name, read[1 + i]])),
    metrics: Object.fromEntries(metricNames.map((metric, i) => [metric, read[1 + reported.length + i]])),
  };
}
