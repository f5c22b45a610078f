import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { expectClose, expectCloseNorm } from "./expect-close.js";

const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;

describe("expectClose", () => {
  it("asks for equality when no tolerance is given", () => {
    expectClose([1, -0], [1, 0]);
    expect(() => expectClose([1], [1 + 1e-15])).toThrow(/1 of 1/);
  });

  it("adds absolute and relative tolerance", () => {
    expectClose([102.9], [100], { absolute: 1, relative: 0.02 });
    expect(() => expectClose([103.1], [100], { absolute: 1, relative: 0.02 })).toThrow(/differ/);
  });

  it("matches NaN and the infinities with themselves only", () => {
    expectClose([nan, infinity, -infinity], [nan, infinity, -infinity]);
    for (const pair of [
      [nan, infinity],
      [nan, 0],
      [infinity, nan],
      [infinity, -infinity],
      [1, infinity],
      [infinity, 1],
    ]) {
      expect(() => expectClose([pair[0]!], [pair[1]!], { absolute: 10, relative: 10 })).toThrow(/1 of 1/);
    }
  });

  it("prints the worst index, both values and the count", () => {
    const actual = tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3]);
    const expected = tf.tensor2d([1, 2.5, 3, 4, 9, 6.5], [2, 3]);
    expect(() => expectClose(actual, expected, { absolute: 0.1 })).toThrow(
      /3 of 6 .* worst at index 4 = \[1, 1\]: actual 5, expected 9, difference 4/,
    );
    expect(() => expectClose([1, nan, 3], [9, 2, 3])).toThrow(/worst at index 1: actual NaN, expected 2/);
    tf.dispose([actual, expected]);
  });

  it("refuses other shapes, other lengths and impossible tolerances", () => {
    const row = tf.tensor2d([1, 2], [1, 2]);
    const column = tf.tensor2d([1, 2], [2, 1]);
    expect(() => expectClose(row, column)).toThrow("shapes differ: actual [1,2], expected [2,1]");
    expect(() => expectClose(row, [1, 2, 3])).toThrow(/actual 2 \(shape \[1,2\]\), expected 3/);
    expect(() => expectClose([], [1])).toThrow(/actual 0, expected 1/);
    expect(() => expectClose([1], [1], { absolute: nan })).toThrow(/absolute must be .* got NaN/);
    expect(() => expectClose([1], [1], { relative: -1 })).toThrow(/relative must be .* got -1/);
    tf.dispose([row, column]);
  });
});

describe("expectCloseNorm", () => {
  it("measures the whole, so that small elements may be far off relatively", () => {
    expectCloseNorm([1000, 0.002], [1000, 0.001], { relative: 1e-5 });
    expect(() => expectCloseNorm([1000, 0.1], [1000, 0.001], { relative: 1e-5 })).toThrow(
      /worst at index 1: actual 0.1, expected 0.001/,
    );
  });

  it("refuses NaN, infinities and other lengths", () => {
    for (const bad of [nan, infinity, -infinity]) {
      expect(() => expectCloseNorm([bad], [1], { relative: 1, absolute: 1e30 })).toThrow(/worst at index 0/);
      expect(() => expectCloseNorm([1], [bad], { relative: 1, absolute: 1e30 })).toThrow(/worst at index 0/);
    }
    expectCloseNorm([nan, infinity], [nan, infinity]);
    expect(() => expectCloseNorm([infinity], [-infinity], { relative: 1 })).toThrow(/norm/);
    expect(() => expectCloseNorm([1], [1, 2])).toThrow(/number of elements differs/);
  });
});
