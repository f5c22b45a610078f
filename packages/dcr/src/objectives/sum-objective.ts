import { checkFunction, checkNumber, checkOptions, checkText, describe } from "../shared/check-options.js";
import type { Objective } from "./objective.js";

/**
 * The weighted sum of several objectives.
 *
 * @param name of the sum
 * @param members objectives with their weights, finite numbers; the losses of a member whose weight is 0 are still measured.
 *   At most one of them may remember something from step to step, as `dcrObjective` with a measured temperature does.
 *
 * @example
 * const both = sumObjective("dcr+con", [{ objective: dcrObjective(), weight: 1 }, { objective: conObjective(), weight: 0.1 }]);
 */
export function sumObjective(
  name: string,
  members: readonly { objective: Objective; weight: number }[],
): Objective {
  checkText("sumObjective: name", name);
  if (!Array.isArray(members as unknown)) {
    throw new TypeError(
      `sumObjective: members must be a list of { objective, weight }, got ${describe(members)}`,
    );
  }
  if (members.length === 0) throw new Error(`sumObjective: ${name} needs one objective or more, got none`);
  for (const [i, member] of members.entries()) {
    const { objective, weight } = checkOptions(`sumObjective: members[${i}]`, member, {
      objective: true,
      weight: true,
    });
    checkFunction(`sumObjective: members[${i}].objective.terms`, objective?.terms);
    checkNumber(`sumObjective: weight of ${objective.name}`, weight);
  }
  const remembering = members.filter(({ objective }) => objective.remember !== undefined);
  if (remembering.length > 1) {
    const both = remembering.map(({ objective }) => objective.name).join(" and ");
    throw new Error(`sumObjective: ${name}: at most one member may have remember(), got ${both}`);
  }
  const remembers = remembering[0]?.objective;
  return {
    name,
    // Called as a method: an objective may be an instance of a class.
    ...(remembers && { remember: (metrics, memory) => remembers.remember!(metrics, memory) }),
    usesAugmented: members.some(({ objective }) => objective.usesAugmented),
    needsNegatives: members.some(({ objective }) => objective.needsNegatives !== false),
    usesPredictions: members.some(({ objective }) => objective.usesPredictions),
    terms: (input) =>
      members.flatMap(({ objective, weight }) =>
        objective.terms(input).map((term) => ({ ...term, weight: term.weight * weight })),
      ),
  };
}
