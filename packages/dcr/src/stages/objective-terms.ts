import * as tf from "@tensorflow/tfjs-core";
import type { Objective, ObjectiveInput, ObjectiveTerm } from "../objectives/objective.js";

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
 * @throws by the objective's name, where losses are missing, share a name, or have gradients of other shapes than their inputs
 */
export function askObjective(objective: Objective, input: ObjectiveInput): ObjectiveTerm[] {
  const terms = tf.tidy(() => objective.terms(input) as never) as ObjectiveTerm[];
  if (!Array.isArray(terms) || terms.length === 0) {
    throw new Error(`objective ${objective.name}: terms must return an array of one loss or more`);
  }
  const shapes = {
    features: input.features.shape,
    augmented: input.augmented?.shape,
    conditions: input.predictor?.conditions.shape,
    augmentedConditions: input.predictor?.augmentedConditions?.shape,
  };
  const names = terms.map(({ name }) => name);
  const repeated = names.find((name, i) => names.indexOf(name) !== i);
  if (repeated !== undefined) {
    tf.dispose(terms as unknown as tf.TensorContainer);
    throw new Error(`objective ${objective.name}: two losses have the name ${repeated}`);
  }
  for (const term of terms) {
    for (const [key, shape] of Object.entries(shapes)) {
      const gradient = term[key as keyof typeof shapes];
      if (gradient === undefined || String(gradient.shape) === String(shape)) continue;
      tf.dispose(terms as unknown as tf.TensorContainer);
      throw new Error(
        `objective ${objective.name}: the gradient of ${term.name} at ${key} must be [${shape}], got [${gradient.shape}]`,
      );
    }
  }
  return terms;
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
  const read = await Promise.all(scalars.map(async (scalar) => (await scalar.data())[0]));
  const metricNames = Object.keys(metrics);
  return {
    name,
    weight,
    value: read[0],
    values: Object.fromEntries(reported.map((part, i) => [part.name, read[1 + i]])),
    metrics: Object.fromEntries(metricNames.map((metric, i) => [metric, read[1 + reported.length + i]])),
  };
}
