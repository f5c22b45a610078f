import { expectClose } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { initialize } from "./device/initialize.js";
import { Random } from "./random.js";

beforeAll(() => initialize({ device: "cpu" }));

describe("Random", () => {
  it("is Philox 4x32-10: the known answer for a zero key and counter", () => {
    // Random123's kat_vectors, first line of philox4x32-10.
    const words = new Random(0).uniformArray(4);
    const expected = [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8].map((word) => word / 2 ** 32);
    expectClose(words, expected, { relative: 1e-7 });
  });

  it("goes on from a state, and forks by label only", () => {
    const random = new Random(7);
    random.number();
    const { state } = random;
    const next = random.normalArray(10);
    random.state = state;
    expect(random.normalArray(10)).toEqual(next);
    expect(new Random(7).fork("a").number()).toBe(random.fork("a").number());
    expect(random.fork("a").number()).not.toBe(random.fork("b").number());
    expect(random.fork(1).number()).not.toBe(random.fork("1").number());
  });

  it("has the moments of its distributions", () => {
    const n = 40_000;
    const moments = (x: Float32Array) => {
      const mean = x.reduce((a, b) => a + b, 0) / n;
      return [mean, x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n];
    };
    expectClose(moments(new Random(1).normalArray(n)), [0, 1], { absolute: 0.02 });
    expectClose(moments(new Random(2).uniformArray(n, -1, 3)), [1, 16 / 12], { absolute: 0.03 });
  });

  it("never draws the end of an interval, to which float32 rounds", () => {
    class Last extends Random {
      override words(n: number): Uint32Array {
        return new Uint32Array(n).fill(2 ** 32 - 1);
      }
    }
    const ends = ([low, high]: number[]) => new Last(0).uniformArray(1, low, high)[0];
    expect(
      [
        [0, 1],
        [-1, 0],
        [1, 3],
        [-3, -1],
      ].map(ends),
    ).toEqual([1 - 2 ** -24, -(2 ** -32), 3 - 2 ** -22, -1 - 2 ** -23].map(Math.fround));
  });

  it("draws integers in range and permutations", () => {
    const integers = new Random(3).integerArray(1000, -2, 3);
    expect(new Set(integers)).toEqual(new Set([-2, -1, 0, 1, 2]));
    expect(Array.from(new Random(4).permutation(50)).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 50 }, (_, i) => i),
    );
    const tensor = new Random(5).integers([2, 3], 0, 9);
    expect([tensor.dtype, tensor.shape]).toEqual(["int32", [2, 3]]);
    tensor.dispose();
    expect(tf.memory().numTensors).toBe(0);
  });

  it("refuses a seed that is no integer, and an empty range", () => {
    expect(() => new Random(-1)).toThrow(/seed must be an integer/);
    expect(() => new Random(0).integerArray(1, 3, 3)).toThrow(
      "Random.integers: high must be an integer, greater than 3 and at most 2147483648, got 3",
    );
  });
});
