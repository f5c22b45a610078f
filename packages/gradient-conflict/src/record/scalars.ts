import type { GradientConflict } from "../measure/conflict.js";
import { type ConflictRecord, checkConflictRecord } from "./conflict-record.js";

/**
 * A record as names and numbers, as TensorBoard and other trackers take them: `loss/con`, `gradient_norm/con`, `gradient_weight/con`,
 * `gradient_share/con`, `gradient_curvature/con`, `gradient_cosine/con-rec`, `gradient_magnitude_similarity/con-rec`, and with groups
 * `gradient_cosine/con-rec/layers.0`.
 *
 * @throws when the record is none, or two losses' names give one tag
 */
export function toScalars(record: ConflictRecord): Record<string, number> {
  const { conflict, values, weights, projection, curvature } = checkConflictRecord(
    "toScalars: record",
    record,
  );
  const scalars: Record<string, number> = {};
  const add = (tag: string, value: number) => {
    if (Object.hasOwn(scalars, tag))
      throw new Error(`toScalars: two numbers have the tag ${JSON.stringify(tag)}`);
    scalars[tag] = value;
  };
  const addAll = (kind: string, numbers: Record<string, number> = {}) => {
    for (const [name, value] of Object.entries(numbers)) add(`${kind}/${name}`, value);
  };
  const addPairs = ({ pairs }: GradientConflict, suffix = "") => {
    for (const { losses, cosine, magnitudeSimilarity } of pairs) {
      const pair = losses.join("-");
      add(`gradient_cosine/${pair}${suffix}`, cosine);
      add(`gradient_magnitude_similarity/${pair}${suffix}`, magnitudeSimilarity);
    }
  };
  addAll("loss", values);
  addAll("gradient_norm", conflict.norms);
  addAll("gradient_weight", weights);
  addAll("gradient_share", projection?.shares);
  addAll("gradient_curvature", curvature);
  addPairs(conflict);
  for (const [group, own] of Object.entries(conflict.groups ?? {})) addPairs(own, `/${group}`);
  return scalars;
}
