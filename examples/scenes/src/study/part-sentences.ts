import { choose } from "./choose.js";
import { type Comparison, compare, figure, type PartResults, spreadOf } from "./comparisons.js";
import { onFactor } from "./part-tables.js";
import { type Chosen, hasFlips, type StudyPart, trainedMethods } from "./plan.js";
import { atEqualP } from "./trade-off.js";

/** A signed difference in points. */
export const points = (value: number) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;

/** A difference, and whether its primary interval excludes 0. */
export function describeComparison(what: string, { mean, overSets, overRuns }: Comparison): string {
  const range = (name: string, found?: { interval: [number, number] }) =>
    found ? [`${name} ${points(found.interval[0])} to ${points(found.interval[1])}`] : [];
  const intervals = [...range("over model sets", overSets), ...range("over runs", overRuns)].join("; ");
  const [low, high] = overSets?.interval ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  const verdict = low > 0 ? "it is higher" : high < 0 ? "it is lower" : "these runs cannot tell";
  return `${what}: ${points(mean)} points (95 % ${intervals}): ${verdict}.`;
}

/** Two sentences that the figures support. */
export function sentencesOf(part: StudyPart, results: PartResults, chosen: Chosen | undefined): string {
  if (part.split === "validation") {
    const best = choose(part, results);
    const [P, D] = [figure("P strict"), figure("D")].map((of) => spreadOf(results, of, best.name).mean);
    const before = spreadOf(results, figure("D"), "original").mean;
    return (
      `By the protocol's rule the best of these is \`${best.name}\`: P ${P.toFixed(1)} at D ${D.toFixed(1)}, where \`original\` has D ${before.toFixed(1)}. ` +
      `These are validation figures of ${part.methods.length} configurations with ${results.length} seeds each, of which the best is shown: they say nothing about test.`
    );
  }
  const sentences = [primarySentence(part, results, chosen!), againstOriginal(part, results)];
  if (part.name === "question-1") sentences.push(dAtEqualP(part, results));
  return sentences.join(" ");
}

/** D of dcr against that of the other methods where all moves are straight lines from `original`: exploratory. */
function dAtEqualP(part: StudyPart, results: PartResults): string {
  const found = trainedMethods
    .filter((method) => method !== "dcr")
    .map((minus) => {
      const comparison = atEqualP(results, part.methods, { of: "dcr", minus });
      return describeComparison(`D of \`dcr\` minus D of \`${minus}\``, comparison);
    });
  return `Exploratory, at the largest P that both reach, on straight lines from \`original\`: ${found.join(" ")}`;
}

function primarySentence(part: StudyPart, results: PartResults, chosen: Chosen): string {
  const P = figure("P strict");
  if (part.name === "trade-off") {
    const found = atEqualP(results, part.methods, { of: "dcr", minus: "rec" });
    return describeComparison("At the largest P that both reach, D of `dcr` minus D of `rec`", found);
  }
  if (part.name === "question-4") {
    const meanP = (name: string) => spreadOf(results, P, name).mean;
    const remedies = part.methods.filter(({ method, name }) => method === "naive" && name !== "naive chosen");
    const { name: best } = remedies.reduce((a, b) => (meanP(b.name) > meanP(a.name) ? b : a));
    const found = compare(results, P, { of: best, minus: "dcr chosen" });
    return describeComparison(`P strict of the best remedy, \`${best}\`, minus that of \`dcr\``, found);
  }
  if (part.name === "question-5") {
    const pair = hasFlips(chosen.con)
      ? { of: "con no flips", minus: "con chosen" }
      : { of: "con chosen", minus: "con flips" };
    return describeComparison(
      "Two-way accuracy on facing of `con` without flips minus with",
      compare(results, onFactor("facing"), pair),
    );
  }
  const { figure: name, of, minus } = part.primary!;
  const found = compare(results, figure(name), { of, minus });
  return describeComparison(`${name} of \`${of}\` minus \`${minus}\``, found);
}

/** How many of a part's methods move P and D away from `original`, by the primary interval. */
function againstOriginal(part: StudyPart, results: PartResults): string {
  const moved = (name: "P strict" | "D", sign: 1 | -1) =>
    part.methods.filter((method) => {
      const { overSets } = compare(results, figure(name), { of: method.name, minus: "original" });
      return overSets && sign * overSets.interval[sign > 0 ? 0 : 1] > 0;
    }).length;
  const all = part.methods.length;
  return (
    `Against \`original\`, over model sets, P strict rises with ${moved("P strict", 1)} of ${all} configurations and falls with ${moved("P strict", -1)}; ` +
    `D rises with ${moved("D", 1)} and falls with ${moved("D", -1)}.`
  );
}
