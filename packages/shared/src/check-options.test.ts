import { expect, describe as group, it } from "vitest";
import {
  checkBoolean,
  checkChoice,
  checkNumber,
  checkNumbers,
  checkOptions,
  checkText,
  describe,
  type OptionNames,
} from "./check-options.js";

interface Options {
  k?: number;
  metric?: string;
  sorted?: boolean;
  weigh?: () => number;
  seed?: number | null;
}
const names = { k: true, metric: true, sorted: "boolean", weigh: "function", seed: "nullable" } as const;

group("checkOptions", () => {
  it("drops undefined options, so that defaults apply", () => {
    expect(checkOptions<Options>("kNN", { k: undefined, metric: "cosine" }, names)).toEqual({
      metric: "cosine",
    });
    expect(checkOptions<Options>("kNN", undefined, names)).toEqual({});
  });

  it("keeps zero, false and the empty string, and null where it has a meaning", () => {
    const given = { k: 0, metric: "", sorted: false, seed: null };
    expect(checkOptions<Options>("kNN", given, names)).toEqual(given);
  });

  it("names every unknown option and those that are known", () => {
    const options = { k: 1, topk: 5, n: 2 } as Options;
    expect(() => checkOptions("kNN", options, names)).toThrow(
      'kNN: unknown options "topk", "n"; expected some of k, metric, sorted, weigh, seed',
    );
  });

  it.each([null, 3, [1], "k"])("refuses %j, which is no object", (value) => {
    expect(() => checkOptions<Options>("kNN", value as never, names)).toThrow(
      /kNN: options must be an object, got/,
    );
  });
});

it.each([
  ["a Promise: await it", () => Promise.resolve({ k: 1 })],
  ["a Map", () => new Map([["k", 1]])],
  ["a Float32Array", () => new Float32Array(2)],
])("refuses %s in place of options", (got, make) => {
  expect(() => checkOptions<Options>("kNN", make() as never, names)).toThrow(
    `kNN: options must be an object, got ${got}`,
  );
});

group("kinds of options", () => {
  // JavaScript counts each of these as true or as false, and a text "false" as true.
  it.each([null, 0, 1, "true", "false", "", {}, [], Number.NaN])("refuses %j as a boolean", (sorted) => {
    expect(() => checkOptions<Options>("kNN", { sorted } as never, names)).toThrow(
      `kNN: sorted must be a boolean, got ${describe(sorted)}`,
    );
  });

  it.each([null, 1, "mean", {}])("refuses %j as a function", (weigh) => {
    expect(() => checkOptions<Options>("kNN", { weigh } as never, names)).toThrow(
      `kNN: weigh must be a function, got ${describe(weigh)}`,
    );
  });

  it("refuses null, which is neither a value nor absent", () => {
    expect(() => checkOptions<Options>("kNN", { k: null } as never, names)).toThrow(
      "kNN: k must have a value, got null",
    );
  });

  it("knows the kinds in its types", () => {
    // @ts-expect-error a boolean is no option of any value
    const wrong: OptionNames<Options> = { ...names, sorted: true };
    // @ts-expect-error a number is no boolean
    const other: OptionNames<Options> = { ...names, k: "boolean" };
    expect([wrong.k, other.k]).toEqual([true, "boolean"]);
  });

  it("expects none where there are none", () => {
    expect(() => checkOptions("mgda", { epsilon: 1 } as object, {})).toThrow(
      'mgda: unknown option "epsilon"; expected none',
    );
  });
});

it("checkNumbers, checkText and checkBoolean name the argument and the value", () => {
  expect(checkNumbers("f: w", [1, 2], { min: 0 })).toEqual([1, 2]);
  expect(() => checkNumbers("f: w", "12")).toThrow('f: w must be an array of numbers, got "12"');
  expect(() => checkNumbers("f: w", [1, Number.NaN])).toThrow("f: w[1] must be a finite number, got NaN");
  expect(checkText("f: path", "a")).toBe("a");
  expect(() => checkText("f: path", "")).toThrow('f: path must be a string, not empty, got ""');
  expect(checkBoolean("f: on", false)).toBe(false);
});

group("checkNumber", () => {
  it("returns a number in the range", () => {
    expect(checkNumber("f: k", 3, { min: 3, max: 3, integer: true })).toBe(3);
    expect(checkNumber("f: x", -0.5)).toBe(-0.5);
  });

  it.each([
    [Number.NaN, {}, "f: x must be a finite number, got NaN"],
    [Number.POSITIVE_INFINITY, { min: 0 }, "f: x must be a finite number, at least 0, got Infinity"],
    [0, { above: 0 }, "f: x must be a finite number, greater than 0, got 0"],
    [1, { min: 0, below: 1 }, "f: x must be a finite number, at least 0 and less than 1, got 1"],
    [1.5, { integer: true }, "f: x must be an integer, got 1.5"],
    [2 ** 53, { integer: true }, "f: x must be an integer, got 9007199254740992"],
    ["3", {}, 'f: x must be a finite number, got "3"'],
    [undefined, {}, "f: x must be a finite number, got undefined"],
  ])("refuses %j in %j", (value, range, message) => {
    expect(() => checkNumber("f: x", value, range)).toThrow(message);
  });
});

it("checkChoice names the choices", () => {
  expect(checkChoice("f: how", "a", ["a", "b"])).toBe("a");
  expect(() => checkChoice("f: how", "c", ["a", "b"])).toThrow('f: how must be one of a, b, got "c"');
});

it("describe is short and tells kinds apart", () => {
  expect([
    describe("1"),
    describe(1),
    describe([1, 2]),
    describe(new Map()),
    describe(null),
    describe(1n),
  ]).toEqual(['"1"', "1", "an array of 2", "a Map", "null", "1n"]);
  expect(describe("x".repeat(1000)).length).toBeLessThan(70);
});
