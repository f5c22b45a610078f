import { describe, expect, it } from "vitest";
import { defaultConfig, type Method, type RunConfig } from "../config/run-config.js";
import type { Evaluation } from "../evaluate/evaluation.js";
import { remediesOf, remedyLines, remedySection } from "./remedies.js";
import type { Conflict, RunFindings } from "./results.js";

const pcgrad: Method = { name: "naive+pcgrad", method: "naive", aggregator: "pcgrad" };
const base: RunConfig = {
  ...defaultConfig,
  encoder: "clip",
  diffusion: "sd",
  images: "photos",
  methods: ["original", "naive", pcgrad, "dcr"],
  seeds: [0, 1, 2],
};

const conflictOf = (method: string, negativeShare: number): Conflict => ({
  method,
  pair: "con/rec",
  negativeShare,
  meanCosine: 0,
  steps: 10,
  meanNorms: { con: 1, rec: 1 },
});

/** Findings of methods' `[P, D]` by seed. */
function findings(figures: Record<string, [number, number][]>, group = "means"): RunFindings {
  const evaluations = Object.fromEntries(
    Object.entries(figures).map(([method, seeds]) => [
      method,
      seeds.map(([P, D]): Evaluation => ({ figures: { [group]: { P, D } } })),
    ]),
  );
  const seeds = Object.values(figures)[0]!.map((_, seed) => seed);
  const conflict = [conflictOf("naive", 0.5), conflictOf("naive+pcgrad", 0.4), conflictOf("dcr", 0.1)];
  return { evaluations, results: { seeds, conflict } as RunFindings["results"], metrics: [] };
}

const three = findings({
  naive: [
    [0.2, 0.5],
    [0.21, 0.51],
    [0.22, 0.52],
  ],
  "naive+pcgrad": [
    [0.22, 0.51],
    [0.23, 0.5],
    [0.24, 0.53],
  ],
  dcr: [
    [0.25, 0.51],
    [0.27, 0.52],
    [0.28, 0.5],
  ],
});

describe("remediesOf", () => {
  it("sets naive, its remedies and dcr beside each other, with paired differences", () => {
    const { figures, methods } = remediesOf(base, three)!;
    expect(figures.map(({ name }) => name)).toEqual(["P", "D"]);
    expect(methods.map(({ method }) => method)).toEqual(["naive", "naive+pcgrad", "dcr"]);
    const [naive, remedy, dcr] = methods.map(({ values }) => values[0]!);
    expect(naive!.value.mean).toBeCloseTo(0.21, 12);
    expect(naive!.fromNaive).toBeUndefined();
    expect(dcr!.fromDCR).toBeUndefined();
    expect(remedy!.fromNaive!.mean).toBeCloseTo(2, 10);
    // Changes of -3, -4 and -4: Student's t for two degrees of freedom is 4.3027, their standard error 1/3.
    expect(remedy!.fromDCR!.mean).toBeCloseTo(-11 / 3, 10);
    expect(remedy!.fromDCR!.interval![0]).toBeCloseTo(-11 / 3 - 4.302653 / 3, 5);
    expect(methods.map(({ negativeShare }) => negativeShare)).toEqual([0.5, 0.4, undefined]);
  });

  it.each([
    ["without a remedy", { methods: ["naive", "dcr"] }],
    ["of a variant of dcr", { methods: ["naive", { ...pcgrad, method: "dcr" }, "dcr"] }],
  ])("has nothing to show %s", (_, settings) => {
    expect(remediesOf({ ...base, ...settings }, three)).toBeUndefined();
  });

  const alone = "is not compared: the run has no method naive that adds its two gradients.";
  const more = (settings: string) =>
    `naive+pcgrad is not compared: it differs from naive in ${settings} too, not only in the aggregator.`;
  const variant = (settings: object) => ({ methods: ["naive", { ...pcgrad, ...settings } as Method, "dcr"] });
  it.each([
    ["there is no naive", { methods: [pcgrad, "dcr"] }, [`naive+pcgrad ${alone}`]],
    [
      "the whole run has an aggregator",
      { aggregator: "pcgrad" as const },
      [`naive ${alone}`, `naive+pcgrad ${alone}`],
    ],
    ["it differs in one setting more", variant({ temperature: 1 }), [more("temperature")]],
    [
      "it differs in two more, one of them nested",
      variant({ temperature: 1, enhance: { learningRate: 0.5 } }),
      [more("enhance.learningRate, temperature")],
    ],
  ])("says why a remedy is not compared: %s", (_, settings, sentences) => {
    const remedies = remediesOf({ ...base, ...settings }, three)!;
    expect(remedies.leftOut).toEqual(sentences);
    expect(remedies.methods).toEqual([]);
    const { title, html } = remedySection(remedies);
    expect(title).toBe("Remedies for the conflict");
    expect(html).toBe(remedies.leftOut.map((line) => `<p>${line}</p>`).join("\n"));
  });

  it("compares the remedies that it can, and says why it leaves the other out", () => {
    const other: Method = { name: "naive+mgda", method: "naive", aggregator: "mgda", temperature: 1 };
    const remedies = remediesOf({ ...base, methods: ["naive", pcgrad, other, "dcr"] }, three)!;
    expect(remedies.methods.map(({ method }) => method)).toEqual(["naive", "naive+pcgrad", "dcr"]);
    expect(remedies.leftOut).toEqual([more("temperature").replace("pcgrad", "mgda")]);
    expect(remedySection(remedies).html).toMatch(/<\/table>\n<p>naive\+mgda is not compared/);
  });

  it("compares with only naive where the run has no dcr, and takes all figures where there are no means", () => {
    const { results, evaluations, metrics } = findings(
      { naive: [[0.2, 0.5]], "naive+pcgrad": [[0.3, 0.5]] },
      "x",
    );
    const remedies = remediesOf({ ...base, methods: ["naive", pcgrad] }, { results, evaluations, metrics })!;
    expect(remedies.figures).toEqual([
      { group: "x", name: "P" },
      { group: "x", name: "D" },
    ]);
    expect(remedies.methods[1]!.values[0]).toMatchObject({ fromNaive: { mean: expect.closeTo(10, 10) } });
    expect(remedySection(remedies).html).not.toContain("dcr</th>");
  });
});

it("says what the intervals support, and the share of negative cosines before and after", () => {
  expect(remedyLines(remediesOf(base, three)!)).toEqual([
    "naive+pcgrad: P: above naive's (+2.0, +2.0 to +2.0), below dcr's (−3.7, −5.1 to −2.2); " +
      "D: no clear difference from naive's (+0.3, −2.5 to +3.2), no clear difference from dcr's (+0.3, −5.9 to +6.6); " +
      "the gradients' cosine is negative in 50.0 % of naive's steps and in 40.0 % of its own.",
  ]);
});

it("is a table of the report", () => {
  const { title, html } = remedySection(remediesOf(base, three)!);
  expect(title).toBe("Remedies for the conflict");
  expect(html).toContain(
    "<tr><th>naive+pcgrad</th><td>23.0 <small>± 1.0</small></td><td>+2.0, +2.0 to +2.0</td><td>−3.7, −5.1 to −2.2</td>",
  );
  expect(html).toContain("<td>40.0</td></tr>");
});
