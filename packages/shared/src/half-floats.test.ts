import { describe, expect, it } from "vitest";
import {
  areHalves,
  bfloat16ToFloat32Array,
  bfloat16ToNumber,
  float16ToFloat32Array,
  float16ToNumber,
  float32ToFloat16Array,
  numberToBfloat16,
  numberToFloat16,
} from "./half-floats.js";

describe("half-floats", () => {
  it("every binary16 survives the way to a number and back", () => {
    for (let bits = 0; bits < 65536; bits++) {
      const value = float16ToNumber(bits);
      const back = Number.isNaN(value) && (bits & 0x7fff) > 0x7c00 ? bits : numberToFloat16(value);
      if (back !== bits) expect.fail(`${bits} became ${value}, then ${back}`);
    }
  });

  it("rounds to the nearest binary16, ties to even, everywhere between two neighbours", () => {
    for (let bits = 0; bits < 0x7bff; bits++) {
      const [low, high] = [float16ToNumber(bits), float16ToNumber(bits + 1)];
      const even = bits % 2 === 0 ? bits : bits + 1;
      if (numberToFloat16(low + (high - low) / 2) !== even) expect.fail(`tie above ${low}`);
      if (numberToFloat16(low + (high - low) * 0.499) !== bits) expect.fail(`below the tie above ${low}`);
      if (numberToFloat16(low + (high - low) * 0.501) !== bits + 1) expect.fail(`above the tie above ${low}`);
      if (numberToFloat16(-high) !== (0x8000 | (bits + 1))) expect.fail(`-${high}`);
    }
  });

  it("knows binary16's landmarks", () => {
    expect(float16ToNumber(0x3c00)).toBe(1);
    expect(float16ToNumber(0xc000)).toBe(-2);
    expect(float16ToNumber(0x7bff)).toBe(65504);
    expect(float16ToNumber(0x0001)).toBe(2 ** -24);
    expect(float16ToNumber(0x0400)).toBe(2 ** -14);
    expect(numberToFloat16(65519.99)).toBe(0x7bff);
    expect(numberToFloat16(65520)).toBe(0x7c00);
    expect(numberToFloat16(-1e30)).toBe(0xfc00);
    expect(numberToFloat16(Number.NaN)).toBe(0x7e00);
  });

  it("a bfloat16 is the upper half of a float32", () => {
    expect(bfloat16ToNumber(0x3f80)).toBe(1);
    expect(bfloat16ToNumber(0xc049)).toBe(-3.140625);
    expect(bfloat16ToNumber(0xff80)).toBe(Number.NEGATIVE_INFINITY);
    expect(bfloat16ToNumber(0x7fc0)).toBeNaN();
  });

  it("every bfloat16 survives the way to a number and back", () => {
    for (let bits = 0; bits < 65536; bits++) {
      const value = bfloat16ToNumber(bits);
      if (numberToBfloat16(value) !== (Number.isNaN(value) ? 0x7fc0 : bits)) expect.fail(`${bits}`);
    }
  });

  it("rounds to the nearest bfloat16, ties to even, everywhere between two neighbours", () => {
    for (let bits = 0; bits < 0x7f7f; bits++) {
      const [low, high] = [bfloat16ToNumber(bits), bfloat16ToNumber(bits + 1)];
      const even = bits % 2 === 0 ? bits : bits + 1;
      if (numberToBfloat16(low + (high - low) / 2) !== even) expect.fail(`tie above ${low}`);
      if (numberToBfloat16(low + (high - low) * 0.49) !== bits) expect.fail(`below the tie above ${low}`);
      if (numberToBfloat16(-low - (high - low) * 0.51) !== (0x8000 | (bits + 1))) expect.fail(`-${high}`);
    }
    expect(numberToBfloat16(3.4e38)).toBe(0x7f80);
    expect(numberToBfloat16(-3.4e38)).toBe(0xff80);
    expect(numberToBfloat16(3.39e38)).toBe(0x7f7f);
  });

  it("arrays are converted as their elements are", () => {
    const equal = (a: ArrayLike<number>, b: ArrayLike<number>) =>
      expect(Array.from(a).findIndex((value, i) => !Object.is(value, b[i]))).toBe(-1);
    const bits = Uint16Array.from({ length: 65536 }, (_, i) => i);
    equal(float16ToFloat32Array(bits), Float32Array.from(bits, float16ToNumber));
    equal(bfloat16ToFloat32Array(bits), Float32Array.from(bits, bfloat16ToNumber));
    // Ties, their neighbours, and everything that is no normal binary16.
    const values = Float32Array.from({ length: 200_000 }, (_, i) =>
      i < 65536 ? float16ToNumber(i) : (i % 2 ? -1 : 1) * (1 + (i % 4099) / 4096) * 2 ** ((i % 47) - 28),
    );
    equal(float32ToFloat16Array(values), Uint16Array.from(values, numberToFloat16));
    equal(float32ToFloat16Array(values.subarray(3, 5)), float32ToFloat16Array(values).slice(3, 5));
    expect(areHalves(Float32Array.of(1, -0, 65504, 2 ** -24, Number.POSITIVE_INFINITY))).toBe(true);
    expect(areHalves(Float32Array.of(1, 1 + 2 ** -11))).toBe(false);
  });
});
