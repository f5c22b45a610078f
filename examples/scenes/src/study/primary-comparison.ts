import { type Comparison, compare, figure, type PartResults, spreadOf } from "./comparisons.js";
import { onFactor } from "./part-tables.js";
import { type Chosen, hasFlips, type StudyPart } from "./plan.js";
import { compareEnvelopes } from "./trade-off.js";

/** A difference, in points, with the words for it. */
export interface NamedComparison {
  what: string;
  found: Comparison;
}

/** The comparison that the protocol names for a part on test. */
export function primaryComparison(part: StudyPart, results: PartResults, chosen: Chosen): NamedComparison {
  const P = figure("P strict");
  if (part.name === "trade-off") {
    return {
      what: "At the largest P that both reach, D of `dcr` minus D of `rec`",
      found: compareEnvelopes(results, part.methods, { of: "dcr", minus: "rec", at: "P" }),
    };
  }
  if (part.name === "question-4") {
    const meanP = (name: string) => spreadOf(results, P, name).mean;
    const remedies = part.methods.filter(({ method, name }) => method === "naive" && name !== "naive chosen");
    const { name: best } = remedies.reduce((a, b) => (meanP(b.name) > meanP(a.name) ? b : a));
    return {
      what: `P strict of the best remedy, \`${best}\`, minus that of \`dcr\``,
      found: compare(results, P, { of: best, minus: "dcr chosen" }),
    };
  }
  if (part.name === "question-5") {
    const pair = hasFlips(chosen.con)
      ? { of: "con no flips", minus: "con chosen" }
      : { of: "con chosen", minus: "con flips" };
    return {
      what: "Two-way accuracy on facing of `con` without flips minus with",
      found: compare(results, onFactor("facing"), pair),
    };
  }
  const { figure: name, of, minus } = part.primary!;
  if (part.name === "question-2") {
    return {
      what: `${name} at temperature \`auto\` minus that at 0.1`,
      found: compare(results, figure(name), { of, minus }),
    };
  }
  return {
    what: `${name} of \`${of}\` minus \`${minus}\``,
    found: compare(results, figure(name), { of, minus }),
  };
}
