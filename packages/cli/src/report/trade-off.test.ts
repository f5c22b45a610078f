import { writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Evaluation } from "../evaluate/evaluation.js";
import type { RunFindings } from "./results.js";
import { tradeOffOf, tradeOffSentence } from "./trade-off.js";
import { tradeOffChart } from "./trade-off-chart.js";

/** Findings of methods' `[D, P]` by seed. */
function findings(figures: Record<string, [number, number][]>, errors?: Record<string, number>): RunFindings {
  const evaluations = Object.fromEntries(
    Object.entries(figures).map(([method, seeds]) => [
      method,
      seeds.map(
        ([D, P]): Evaluation => ({
          figures: { other: { x: 1 }, means: { D, P, both: (D + P) / 2 } },
          ...(errors && { standardErrors: { means: errors } }),
        }),
      ),
    ]),
  );
  const seeds = Object.values(figures)[0]!.map((_, seed) => seed);
  return { evaluations, results: { seeds } as RunFindings["results"], metrics: [] };
}

const three = findings({
  original: [
    [0.6, 0.2],
    [0.6, 0.2],
    [0.6, 0.2],
  ],
  rec: [
    [0.58, 0.24],
    [0.57, 0.23],
    [0.59, 0.25],
  ],
  dcr: [
    [0.55, 0.26],
    [0.62, 0.29],
    [0.57, 0.26],
  ],
});

const sentence = (found: RunFindings) => tradeOffSentence(found, tradeOffOf(found)!);

describe("tradeOffOf", () => {
  it("has the first two means of each method with their spread over seeds", () => {
    const { x, y, spreadOf, methods } = tradeOffOf(three)!;
    expect([x, y, spreadOf]).toEqual(["D", "P", "seeds"]);
    expect(methods.map(({ method }) => method)).toEqual(["original", "rec", "dcr"]);
    expect(methods[1]!.x.mean).toBeCloseTo(0.58, 12);
    expect(methods[1]!.x.spread).toBeCloseTo(0.01, 12);
  });

  it("has the evaluation's standard errors with one seed", () => {
    const one = findings({ original: [[0.6, 0.2]], rec: [[0.5, 0.3]] }, { P: 0.01 });
    const { spreadOf, methods } = tradeOffOf(one)!;
    expect(spreadOf).toBe("examples");
    expect(methods[1]).toEqual({
      method: "rec",
      x: { mean: 0.5, spread: 0 },
      y: { mean: 0.3, spread: 0.01 },
    });
  });

  it("is nothing without two means, without original, or without a method", () => {
    expect(tradeOffOf(findings({ rec: [[0, 0]], dcr: [[0, 0]] }))).toBeUndefined();
    expect(tradeOffOf(findings({ original: [[0, 0]] }))).toBeUndefined();
    const bare = { figures: { means: { D: 1 } } };
    expect(tradeOffOf({ ...three, evaluations: { original: [bare], rec: [bare] } })).toBeUndefined();
  });
});

describe("tradeOffSentence", () => {
  it("says what the seeds support, and of what they cannot tell", () => {
    // t(0.975, 2) = 4.303: rec's P 4 +- 4.303 * 1 / sqrt(3), dcr's 7 +- 4.303 * 1.732 / sqrt(3); dcr's D spreads too much.
    expect(sentence(three)).toBe(
      "Against original, in percent points with 95 % intervals (over 3 seeds, paired): " +
        "P rises with rec (+4.0, +1.5 to +6.5) and dcr (+7.0, +2.7 to +11.3); " +
        "these figures cannot tell whether D changes with rec (−2.0) and dcr (−2.0).",
    );
  });

  it("takes standard errors with one seed, as if examples were others, and claims nothing without", () => {
    const one = findings({ original: [[0.6, 0.2]], rec: [[0.5, 0.3]], dcr: [[0.5, 0.4]] }, { P: 0.01 });
    expect(sentence(one)).toBe(
      "Against original, in percent points with 95 % intervals (one seed: from the number of examples only): " +
        "P rises with rec (+10.0, +7.2 to +12.8) and dcr (+20.0, +17.2 to +22.8); dcr's P is above rec's; " +
        "these figures cannot tell whether D changes with rec (−10.0) and dcr (−10.0).",
    );
  });
});

describe("tradeOffChart", () => {
  it("draws each method's name, an arrow to each but original, and ellipses", async () => {
    const svg = await tradeOffChart(tradeOffOf(three)!);
    for (const text of ["original", "rec", "dcr", "D, %", "P, %"]) expect(svg).toContain(`>${text}</text>`);
    expect(svg.match(/aria-roledescription="rule mark"/g)).toHaveLength(2);
    expect(svg).not.toMatch(/NaN|undefined|url\(/);
    if (process.env.DCR_TEST_PICTURE) writeFileSync(process.env.DCR_TEST_PICTURE, svg);
  });
});
