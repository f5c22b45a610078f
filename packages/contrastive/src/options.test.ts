import { normalArray } from "@dcr-js/testing";
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, describe, expect, it } from "vitest";
import * as contrastive from "./index.js";

type Call = (options: object) => unknown;
const x = tf.tensor2d(normalArray(1, 12), [4, 3]);
const y = tf.tensor2d(normalArray(2, 12), [4, 3]);
const labels = [0, 1, 0, 1];
const library = contrastive as unknown as Record<string, (...args: unknown[]) => unknown>;
const calls = (names: string, ...args: unknown[]): [string, Call][] =>
  names.split(" ").map((name) => [name, (options) => library[name](...args, options)]);
const weights = (...shape: number[]) =>
  tf.tensor(
    normalArray(
      3,
      shape.reduce((a, b) => a * b),
    ),
    shape,
  );

/** Every function with options, and those that it cannot do without. */
const functions: [string, Call, object?][] = [
  ...calls(
    "infoNCE ntXent decoupled debiased hardNegative vicReg barlowTwins negativeCosine tiCo alignment",
    x,
    y,
  ),
  ...calls("supCon contrastiveLoss snrContrastive tripletLoss nPairs liftedStructure fastAP", x, labels),
  ...calls("generalizedLiftedStructure multiSimilarity circle margin nca angular rankedList", x, labels),
  ...calls("tupletMargin ntXentFromLabels batchHard batchEasyHard tripletMarginMiner", x, labels),
  ...calls("pairMarginMiner multiSimilarityMiner angularMiner distanceWeightedMiner", x, labels),
  ...calls("arcFace cosFace normalizedSoftmax proxyNCA proxyAnchor", x, labels).map(
    ([name, call]): [string, Call, object] => [name, call, { weights: weights(2, 3) }],
  ),
  ...calls("subCenterArcFace softTriple", x, labels).map(([name, call]): [string, Call, object] => [
    name,
    call,
    { weights: weights(2, 2, 3) },
  ]),
  ...calls("clipLoss", x, y, 10),
  ...calls("sigLipLoss", x, y, 10, -10),
  ...calls("koLeo uniformity effectiveRank sigReg sinkhorn collapse tiCoCovariance", x),
  ...calls("similarityHistogram", x, labels),
  ...calls("dino", { student: [x, y], teacher: [x, y] }),
  ...calls("swav", [x, y]),
  ...calls("updateCenter", tf.zeros([3]), [x]),
  ...calls("lpDistance learnedTemperature"),
  ...calls("classLossModule", contrastive.arcFace).map(([name, call]): [string, Call, object] => [
    name,
    call,
    { classes: 2, dim: 3 },
  ]),
];

afterAll(() => tf.disposeVariables());

async function messageOf(call: () => unknown): Promise<string> {
  try {
    await call();
    return "no error";
  } catch (error) {
    return (error as Error).message;
  }
}

describe.each(functions)("%s", (name, call, needed = {}) => {
  it("refuses options that it does not know and values that are none, by name", async () => {
    expect(await messageOf(() => call(needed))).toBe("no error");
    const unknown = await messageOf(() => call({ ...needed, topk: 5 }));
    expect(unknown).toMatch(new RegExp(`^${name}: unknown option "topk"; expected some of \\w+`));
    const known = /expected some of (.*)$/.exec(unknown)![1].split(", ");
    for (const option of known) {
      // A list without length and NaN are objects and numbers to typeof, and both are often taken for "absent".
      for (const value of [null, {}, "", Number.NaN]) {
        const message = await messageOf(() => call({ ...needed, [option]: value }));
        if (message === "no error") expect.fail(`${name} takes ${option}: ${JSON.stringify(value)}`);
        expect(message).toContain(option);
        expect(message).not.toMatch(/\n|Cannot read|is not iterable|is not a function/);
      }
    }
    for (const options of [null, 5, "x", []]) {
      expect(await messageOf(() => call(options as never))).toContain(`${name}: `);
    }
  });
});
