import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, describe, expect, it } from "vitest";
import { golden, goldenInput } from "../../test/golden.js";
import type { Pairs, Triplets } from "../pairs/pairs.js";
import { angularMiner } from "./angular-miner.js";
import { batchEasyHard, batchHard } from "./batch-easy-hard.js";
import { distanceWeightedMiner } from "./distance-weighted-miner.js";
import { multiSimilarityMiner } from "./multi-similarity-miner.js";
import { pairMarginMiner } from "./pair-margin-miner.js";
import { tripletMarginMiner } from "./triplet-margin-miner.js";

const x = goldenInput("x");
afterAll(() => x.dispose());

const listTriplets = ({ anchor, positive, negative }: Triplets) =>
  Array.from(anchor, (a, i) => `${a} ${positive[i]} ${negative[i]}`).sort();
const listPairs = ({ positive, negative }: Pairs) =>
  [
    ...Array.from(positive.anchor, (a, i) => `${a}+${positive.other[i]}`),
    ...Array.from(negative.anchor, (a, i) => `${a}-${negative.other[i]}`),
  ].sort();
const theirs = (name: string) => {
  const lists = golden.mined[name];
  if (lists.length === 3) return lists[0].map((a, i) => `${a} ${lists[1][i]} ${lists[2][i]}`).sort();
  const [a1, p, a2, n] = lists;
  return [...a1.map((a, i) => `${a}+${p[i]}`), ...a2.map((a, i) => `${a}-${n[i]}`)].sort();
};

describe("pytorch-metric-learning's choice", () => {
  it("batchHard", async () =>
    expect(listTriplets(await batchHard(x, golden.labels))).toEqual(theirs("batchHard")));

  it.each([
    ["easy", "semihard"],
    ["semihard", "hard"],
  ] as const)("batchEasyHard %s %s", async (positive, negative) => {
    const [a1, p, , n] = golden.mined[`batchEasyHard ${positive} ${negative}`];
    const expected = a1.map((a, i) => `${a} ${p[i]} ${n[i]}`).sort();
    expect(listTriplets(await batchEasyHard(x, golden.labels, { positive, negative }))).toEqual(expected);
  });

  // Its pairs, which its triplet losses join by their anchors.
  it.each([
    ["all", "hard"],
    ["easy", "all"],
    ["all", "all"],
  ] as const)("batchEasyHard %s %s", async (positive, negative) => {
    const [a1, p, a2, n] = golden.mined[`batchEasyHard ${positive} ${negative}`];
    const expected = a1.flatMap((a, i) => a2.flatMap((b, k) => (a === b ? [`${a} ${p[i]} ${n[k]}`] : [])));
    expect(listTriplets(await batchEasyHard(x, golden.labels, { positive, negative }))).toEqual(
      expected.sort(),
    );
  });

  it.each(["all", "hard", "semihard", "easy"] as const)("tripletMarginMiner %s", async (type) => {
    expect(listTriplets(await tripletMarginMiner(x, golden.labels, { type }))).toEqual(
      theirs(`tripletMarginMiner ${type}`),
    );
  });

  it("pairMarginMiner", async () => {
    const mined = await pairMarginMiner(x, golden.labels, { posMargin: 0.9, negMargin: 1.2 });
    expect(listPairs(mined)).toEqual(theirs("pairMarginMiner"));
  });

  it("multiSimilarityMiner", async () => {
    expect(listPairs(await multiSimilarityMiner(x, golden.labels))).toEqual(theirs("multiSimilarityMiner"));
  });

  it("angularMiner", async () => {
    expect(listTriplets(await angularMiner(x, golden.labels, { angle: 35 }))).toEqual(theirs("angularMiner"));
  });
});

describe("distanceWeightedMiner", () => {
  it("draws each negative as often as the inverse of its density says", async () => {
    // One anchor pair and two negatives at distances 0.6 and 1.2, in three dimensions: the weight is d^(2 - 3).
    const at = (d: number) => [1 - (d * d) / 2, Math.sqrt(1 - (1 - (d * d) / 2) ** 2), 0];
    const rows = tf.tensor2d([[1, 0, 0], [1, 0, 0], at(0.6), at(1.2)]);
    let state = 1;
    const random = () => {
      state = (state * 48271) % 2147483647;
      return state / 2147483647;
    };
    let near = 0;
    const draws = 2000;
    for (let i = 0; i < draws; i++) {
      const { anchor, negative } = await distanceWeightedMiner(rows, [0, 0, 1, 2], { random });
      near += Number(negative[anchor.indexOf(0)] === 2);
    }
    // 1/0.6 against 1/1.2: two of three draws; three standard deviations are 0.032.
    expect(Math.abs(near / draws - 2 / 3)).toBeLessThan(0.032);
    rows.dispose();
  });
});

it("free their tensors, and refuse NaN and unknown options", async () => {
  const before = tf.memory().numTensors;
  await batchHard(x, golden.labels);
  await angularMiner(x, golden.labels);
  await distanceWeightedMiner(x, golden.labels);
  expect(tf.memory().numTensors).toBe(before);
  const broken = tf.tensor2d([...normalArray(1, 7), Number.NaN], [4, 2]);
  await expect(batchHard(broken, [0, 0, 1, 1])).rejects.toThrow(
    "batchHard: the distance of row 0 to row 3 is NaN",
  );
  await expect(angularMiner(broken, [0, 0, 1, 1])).rejects.toThrow(
    "angularMiner: the angle of rows 2, 3 and 0 is NaN",
  );
  broken.dispose();
  // Both sides of the triangle are 0: no angle, as for pytorch-metric-learning.
  const equal = tf.ones([4, 2]);
  expect((await angularMiner(equal, [0, 0, 1, 1])).anchor).toHaveLength(0);
  equal.dispose();
  await expect(tripletMarginMiner(x, golden.labels, { kind: "hard" } as never)).rejects.toThrow(
    'unknown option "kind"',
  );
  for (const [positive, negative] of [
    ["semihard", "semihard"],
    ["semihard", "all"],
    ["all", "semihard"],
  ] as const) {
    await expect(batchEasyHard(x, golden.labels, { positive, negative })).rejects.toThrow(
      `beside "semihard" the other must be "hard" or "easy", got positive "${positive}", negative "${negative}"`,
    );
  }
});

describe("miners at their bounds", () => {
  // On a line: a positive at distance 1, negatives at 1, 1.5 and 2 from row 0.
  const line = tf.tensor2d([0, 1, -1, 1.5, 2], [5, 1]);
  const labels = [0, 0, 1, 1, 1];
  afterAll(() => line.dispose());
  const distance = (a: tf.Tensor2D, b: tf.Tensor2D) => tf.abs(tf.sub(a, tf.transpose(b))) as tf.Tensor2D;
  const ofRow0 = (triplets: Triplets) => listTriplets(triplets).filter((triplet) => triplet.startsWith("0 "));

  it.each([
    // 0 beyond is hard, not semi-hard; exactly the margin violates it.
    ["all", ["0 1 2", "0 1 3"]],
    ["hard", ["0 1 2"]],
    ["semihard", ["0 1 3"]],
    ["easy", ["0 1 4"]],
  ] as const)("tripletMarginMiner of type %s", async (type, expected) => {
    const mined = await tripletMarginMiner(line, labels, { type, margin: 0.5, distance });
    expect(ofRow0(mined)).toEqual(expected);
  });

  it("pairMarginMiner takes distances beyond and within, not at, its margins", async () => {
    const pairs = async (posMargin: number, negMargin: number) =>
      listPairs(await pairMarginMiner(line, labels, { posMargin, negMargin, distance })).filter((pair) =>
        /^0[+-]/.test(pair),
      );
    expect(await pairs(1, 1.5)).toEqual(["0-2"]);
    expect(await pairs(0.99, 1.51)).toEqual(["0+1", "0-2", "0-3"]);
  });

  it("batchEasyHard's semi-hard negative is farther than the positive, not as far", async () => {
    const mined = await batchEasyHard(line, labels, { positive: "hard", negative: "semihard", distance });
    expect(ofRow0(mined)).toEqual(["0 1 3"]);
    const easy = await batchEasyHard(line, labels, { positive: "easy", negative: "easy", distance });
    expect(ofRow0(easy)).toEqual(["0 1 4"]);
    const hard = await batchHard(line, labels, { distance });
    expect(ofRow0(hard)).toEqual(["0 1 2"]);
  });

  it("distanceWeightedMiner takes the last negative where the draw is the whole, and none out of range", async () => {
    const rows = tf.tensor2d([1, 0, 0.9, 0.1, 0, 1, -1, 0], [4, 2]);
    const draw = (random: () => number) =>
      distanceWeightedMiner(rows, [0, 0, 1, 2], { random, nonZeroLossCutoff: 2 }).then((mined) =>
        listTriplets(mined).filter((triplet) => triplet.startsWith("0 ")),
      );
    expect(await draw(() => 0)).toEqual(["0 1 2"]);
    // Rounding may draw all of the weights.
    expect(await draw(() => 1)).toEqual(["0 1 2"]);
    const none = await distanceWeightedMiner(rows, [0, 0, 1, 2], { nonZeroLossCutoff: 0.5 });
    expect(listTriplets(none)).toEqual([]);
    rows.dispose();
  });

  it("distanceWeightedMiner draws of two alike, with draws in [0, 1), the second from a half on", async () => {
    const rows = tf.tensor2d([1, 0, 1, 0, 0, 1, 0, -1], [4, 2]);
    const drawn = async (value: number) => {
      const random = () => value;
      const mined = await distanceWeightedMiner(rows, [0, 0, 1, 2], { random, nonZeroLossCutoff: 2 });
      return mined.negative[0];
    };
    expect(await drawn(0.49)).toBe(2);
    expect(await drawn(0.5)).toBe(3);
    rows.dispose();
  });

  it("distanceWeightedMiner keeps its weights finite in thousands of dimensions", async () => {
    const rows = tf.tidy(() =>
      tf.pad(tf.tensor2d([1, 0, 1, 0, 0.82, Math.sqrt(1 - 0.82 ** 2), 0.28, 0.96], [4, 2]), [
        [0, 0],
        [0, 2046],
      ]),
    );
    // At distances 0.6 and 1.2: so near a negative is so rare that it has all the weight.
    for (const value of [0, 0.5, 0.999]) {
      const random = () => value;
      expect((await distanceWeightedMiner(rows, [0, 0, 1, 2], { random })).negative[0]).toBe(2);
    }
    rows.dispose();
  });
});
