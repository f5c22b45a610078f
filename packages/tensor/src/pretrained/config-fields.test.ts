import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  choice,
  imageSide,
  layerCount,
  levels,
  multipleOf,
  timestepCount,
  tokenCount,
  tokenId,
  valueOrEqualList,
  vocabularySize,
  width,
} from "./config-fields.js";

describe("bounds of numbers", () => {
  it.each([
    { name: "layerCount", field: layerCount, min: 1, max: 1024 },
    { name: "width", field: width, min: 1, max: 131_072 },
    { name: "imageSide", field: imageSide, min: 1, max: 16_384 },
    { name: "tokenCount", field: tokenCount, min: 1, max: 1_048_576 },
    { name: "vocabularySize", field: vocabularySize, min: 1, max: 4_194_304 },
    { name: "tokenId", field: tokenId, min: 0, max: 4_194_303 },
    { name: "timestepCount", field: timestepCount, min: 1, max: 100_000 },
  ])("$name takes integers from $min to $max", ({ field, min, max }) => {
    for (const value of [min, max]) expect(field.parse(value)).toBe(value);
    for (const value of [
      min - 1,
      max + 1,
      min + 0.5,
      1e8,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      "12",
      null,
    ]) {
      expect(field.safeParse(value).success).toBe(false);
    }
  });

  it("levels takes 1 to 16 entries", () => {
    const list = levels(width);
    expect(list.parse(new Array(16).fill(4))).toHaveLength(16);
    for (const value of [[], new Array(17).fill(4), 4, [0]])
      expect(list.safeParse(value).success).toBe(false);
  });
});

describe("equivalent forms", () => {
  it("valueOrEqualList takes a value and a list of equal values", () => {
    const field = valueOrEqualList(imageSide).nullish();
    expect([8, [8], [8, 8], null, undefined].map((value) => field.parse(value))).toEqual([
      8,
      8,
      8,
      null,
      undefined,
    ]);
    for (const value of [[8, 9], [], "8", [[8, 8]]]) expect(field.safeParse(value).success).toBe(false);
  });

  it("choice takes names and their aliases, and no inherited name", () => {
    const field = choice(["silu", "gelu"], { swish: "silu" }).default("silu");
    expect(["silu", "gelu", "swish", undefined].map((value) => field.parse(value))).toEqual([
      "silu",
      "gelu",
      "silu",
      "silu",
    ]);
    for (const value of ["relu", "toString", 1, null]) expect(field.safeParse(value).success).toBe(false);
  });

  it("multipleOf names both numbers", () => {
    const schema = z
      .object({ hidden_size: width, heads: layerCount })
      .refine(...multipleOf("hidden_size", "heads"));
    expect(schema.parse({ hidden_size: 12, heads: 3 })).toEqual({ hidden_size: 12, heads: 3 });
    expect(schema.safeParse({ hidden_size: 12, heads: 5 }).error?.issues[0]?.message).toBe(
      "hidden_size must be a multiple of heads, got 12 and 5",
    );
  });
});
