import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { splitPairs } from "./split-pairs.js";

const rows = [
  [1, 2],
  [3, 4],
  [5, 6],
  [7, 8],
];

it.each([
  ["a tensor", () => tf.tensor2d(rows)],
  ["rows", () => rows],
  ["typed rows", () => rows.map((row) => Float64Array.from(row))],
  ["flat numbers", () => ({ data: Float32Array.from(rows.flat()), shape: [4, 2] })],
])("gives the first rows and the second rows of %s", (_, features) => {
  tf.tidy(() => {
    const [first, second] = splitPairs(features());
    expect(first.arraySync()).toEqual([rows[0], rows[2]]);
    expect(second.arraySync()).toEqual([rows[1], rows[3]]);
  });
});

it("refuses what holds no pairs", () => {
  expect(() => splitPairs(tf.tidy(() => tf.ones([3, 2]).arraySync()) as number[][])).toThrow(
    "splitPairs: features must be [2 pairs, dim], got [3,2]",
  );
  expect(() => splitPairs([[1], ["2"]] as never)).toThrow(
    'splitPairs: features[1][0] must be a number, got "2"',
  );
  expect(() => splitPairs([])).toThrow(
    "splitPairs: features must be [n, dim], n and dim at least 1, got [0,0]",
  );
});
