import { choose } from "./choose.js";
import { type Comparison, compare, figure, methodNames, type PartResults, spreadOf } from "./comparisons.js";
import type { Costs } from "./costs-results.js";
import type { Chosen, StudyPart } from "./plan.js";
import { primaryComparison } from "./primary-comparison.js";

/** A signed difference in points. */
export const points = (value: number) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;

/** A signed difference in points with its primary interval. */
export const withInterval = ({ mean, overSets }: Comparison): string =>
  points(mean) + (overSets ? ` (${overSets.interval.map(points).join(" to ")})` : "");

/** A difference, and whether its primary interval excludes 0. */
export function describeComparison(what: string, { mean, overSets, overRuns }: Comparison): string {
  const range = (name: string, found?: { interval: [number, number] }) =>
    found ? [`${name} ${points(found.interval[0])} to ${points(found.interval[1])}`] : [];
  const intervals = [...range("over model sets", overSets), ...range("over runs", overRuns)].join("; ");
  return `${what}: ${points(mean)} points (95 % ${intervals}): ${verdictOf({ overSets })}.`;
}

type Verdict = "it is higher" | "it is lower" | "these runs cannot tell";

/** The words that the primary interval allows. */
export function verdictOf({ overSets }: Pick<Comparison, "overSets">): Verdict {
  const [low, high] = overSets?.interval ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  return low > 0 ? "it is higher" : high < 0 ? "it is lower" : "these runs cannot tell";
}

/** Two sentences that the figures support, and for some questions one on cost. */
export function sentencesOf(
  part: StudyPart,
  results: PartResults,
  { chosen, costs }: { chosen?: Chosen; costs?: Costs },
): string {
  if (part.split === "validation") return tuningSentences(part, results);
  const { what, found } = primaryComparison(part, results, chosen!);
  const sentences = [describeComparison(what, found), againstOriginal(part, results)];
  if (part.name === "trade-off") sentences.push(atEqualCost(results, costs));
  if (part.name === "question-3" && costs) sentences.push(costSentence(methodNames(part).slice(1), costs));
  return sentences.join(" ");
}

function tuningSentences(part: StudyPart, results: PartResults): string {
  const best = choose(part, results);
  const [P, D] = [figure("P strict"), figure("D")].map((of) => spreadOf(results, of, best.name).mean);
  const before = spreadOf(results, figure("D"), "original").mean;
  return (
    `By the protocol's rule the best of these is \`${best.name}\`: P ${P.toFixed(1)} at D ${D.toFixed(1)}, where \`original\` has D ${before.toFixed(1)}. ` +
    `These are validation figures of ${part.methods.length} configurations with ${results.length} seeds each, of which the best is shown: they say nothing about test.`
  );
}

/** `dcr` with fewer steps against `rec` with all: exploratory. */
function atEqualCost(results: PartResults, costs: Costs | undefined): string {
  const pair = { of: "dcr 100 steps", minus: "rec chosen" };
  const seconds = costs && {
    dcr: 100 * costs.secondsPerStep["dcr chosen"],
    rec: 300 * costs.secondsPerStep["rec chosen"],
  };
  const cost = seconds ? ` (${seconds.dcr.toFixed(0)} s against ${seconds.rec.toFixed(0)} s)` : "";
  const found = (["P strict", "D"] as const).map((name) =>
    describeComparison(`${name} of the first minus that of the second`, compare(results, figure(name), pair)),
  );
  return `At nearly equal cost, \`dcr\` with 100 steps and \`rec\` with 300${cost}: ${found.join(" ")}`;
}

/** The seconds of a step, and how many times those of the first name. */
function costSentence(names: readonly string[], { secondsPerStep, machine }: Costs): string {
  const [first, ...others] = names.map((name) => ({ name, seconds: secondsPerStep[name] }));
  const each = others.map(
    ({ name, seconds }) =>
      `${seconds.toFixed(3)} s with \`${name}\` (${(seconds / first.seconds).toFixed(2)} times)`,
  );
  return `A step takes ${first.seconds.toFixed(3)} s with \`${first.name}\`, ${each.join(", ")} (${machine}).`;
}

/** With which of a part's methods P and D rise and fall against `original`, by the primary interval. */
function againstOriginal(part: StudyPart, results: PartResults): string {
  const clauses = (["P strict", "D"] as const).map((name) => {
    const verdicts = part.methods.map((method) =>
      verdictOf(compare(results, figure(name), { of: method.name, minus: "original" })),
    );
    const listed = (verdict: Verdict) =>
      part.methods.filter((_, i) => verdicts[i] === verdict).map((method) => `\`${method.name}\``);
    const [higher, lower, unknown] = [
      listed("it is higher"),
      listed("it is lower"),
      listed("these runs cannot tell"),
    ];
    const moves = [
      ...(higher.length > 0 ? [`rises with ${together(higher)}`] : []),
      ...(lower.length > 0 ? [`falls with ${together(lower)}`] : []),
    ];
    if (moves.length === 0)
      return `${name} neither rises nor falls with any configuration, as far as these runs can tell`;
    const rest = unknown.length > 0 ? `; for ${together(unknown)} these runs cannot tell` : "";
    return `${name} ${moves.join(" and ")}${rest}`;
  });
  return `Against \`original\`, over model sets: ${clauses.join(". ")}.`;
}

/** A sentence lists at most so many names. */
const mostListed = 8;

/** Names as a sentence lists them; of many, their number. */
function together(names: readonly string[]): string {
  if (names.length > mostListed) return `${names.length} configurations`;
  return names.length === 1 ? names[0] : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
