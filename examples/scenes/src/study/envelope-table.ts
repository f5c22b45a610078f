import type { PartResults } from "./comparisons.js";
import { markdownTable } from "./markdown-table.js";
import { withInterval } from "./part-sentences.js";
import { type StudyPart, trainedMethods } from "./plan.js";
import { compareEnvelopes } from "./trade-off.js";

/** `dcr` against each other method at equal P and at equal D. */
export function envelopeTable(part: StudyPart, results: PartResults): string {
  const others = trainedMethods.filter((method) => method !== "dcr");
  const table = markdownTable(
    ["difference in D at the largest P that both reach", "difference in P at the smallest D that both keep"],
    others.map((minus) => [
      `\`dcr\` minus \`${minus}\``,
      ...(["P", "D"] as const).map((at) =>
        withInterval(compareEnvelopes(results, part.methods, { of: "dcr", minus, at })),
      ),
    ]),
  );
  const configurations =
    part.methods.length > trainedMethods.length
      ? "all configurations of a method"
      : "the one configuration of a method";
  return `Exploratory, in points (95 % over model sets), along straight lines between \`original\` and ${configurations}:\n\n${table}`;
}
