import { expect, describe as group, it } from "vitest";
import { checkChoice, checkNumber, checkOptions, describe } from "./check-options.js";

interface Options {
  k?: number;
  metric?: string;
}
const names = { k: true, metric: true } as const;

group("checkOptions", () => {
  it("drops undefined options, so that defaults apply", () => {
    expect(checkOptions<Options>("kNN", { k: undefined, metric: "cosine" }, names)).toEqual({
      metric: "cosine",
    });
    expect(checkOptions<Options>("kNN", undefined, names)).toEqual({});
  });

  it("keeps null, zero, false and the empty string", () => {
    const given = { k: 0, metric: "" };
    expect(checkOptions<Options>("kNN", given, names)).toEqual(given);
  });

  it("names every unknown option and those that are known", () => {
    const options = { k: 1, topk: 5, n: 2 } as Options;
    expect(() => checkOptions("kNN", options, names)).toThrow(
      'kNN: unknown options "topk", "n"; expected some of k, metric',
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
  expect([describe("1"), describe(1), describe([1, 2]), describe(new Map()), describe(null)]).toEqual([
    '"1"',
    "1",
    "an array of 2",
    "a Map",
    "null",
  ]);
  expect(describe("x".repeat(1000)).length).toBeLessThan(70);
});
