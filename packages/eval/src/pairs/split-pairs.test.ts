import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { splitPairs } from "./split-pairs.js";

it("gives the first rows and the second rows", () => {
  tf.tidy(() => {
    const [first, second] = splitPairs(
      tf.tensor2d([
        [1, 2],
        [3, 4],
        [5, 6],
        [7, 8],
      ]),
    );
    expect(first.arraySync()).toEqual([
      [1, 2],
      [5, 6],
    ]);
    expect(second.arraySync()).toEqual([
      [3, 4],
      [7, 8],
    ]);
    expect(() => splitPairs(tf.ones([3, 2]))).toThrow(
      "splitPairs: features must be [2 pairs, dim], got [3,2]",
    );
    expect(() => splitPairs([[1], [2]] as never)).toThrow(
      "splitPairs: features must be a tensor [2 pairs, dim], got an array of 2",
    );
  });
});
