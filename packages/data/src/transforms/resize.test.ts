import { uniformArray } from "@dcr-js/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { resamples } from "./resample.js";
import { type Box, resize } from "./resize.js";

// Values against Pillow's are in golden.test.ts.
const ramp = { data: Uint8Array.from({ length: 4 * 3 * 3 }, (_, i) => 7 * i), width: 4, height: 3 };

describe("resize", () => {
  it("keeps a flat image flat, in every size, with every filter", () => {
    const sizes = fc.integer({ min: 1, max: 40 });
    fc.assert(
      fc.property(
        sizes,
        sizes,
        sizes,
        sizes,
        fc.constantFrom(...resamples),
        fc.nat(255),
        (w, h, width, height, resample, v) => {
          const flat = { data: new Uint8Array(w * h * 3).fill(v), width: w, height: h };
          const result = resize(flat, { width, height, resample });
          expect([result.width, result.height, result.data.length]).toEqual([
            width,
            height,
            width * height * 3,
          ]);
          expect(result.data.every((value) => value === v)).toBe(true);
        },
      ),
    );
  });

  it("gives float32 what uint8 gives, but for rounding", () => {
    const [width, height] = [23, 31];
    const values = uniformArray(1, width * height * 3, 0, 1);
    const bytes = Uint8Array.from(values, (value) => Math.round(value * 255));
    for (const resample of resamples) {
      const size = { width: 9, height: 12, resample };
      const fixed = resize({ data: bytes, width, height }, size).data;
      const floating = resize(
        { data: Float32Array.from(bytes, (value) => value / 255), width, height },
        size,
      ).data;
      // Each pass rounds by half a level.
      for (let i = 0; i < fixed.length; i++) {
        const held = Math.min(255, Math.max(0, floating[i]! * 255));
        expect(Math.abs(fixed[i]! - held)).toBeLessThan(3);
      }
    }
  });

  it("copies where nothing changes", () => {
    const same = resize(ramp, { width: 4, height: 3 });
    expect(same.data).toEqual(ramp.data);
    expect(same.data).not.toBe(ramp.data);
  });

  it("takes sides of 2^20 and refuses longer ones, of an image too", () => {
    const strip = (length: number) => ({
      data: new Uint8Array(length * 3).fill(9),
      width: length,
      height: 1,
    });
    const { data } = resize(strip(2 ** 20), { width: 3, height: 2 });
    expect([...data]).toEqual(Array(18).fill(9));
    expect(() => resize(strip(2 ** 20 + 1), { width: 3, height: 2 })).toThrow(
      "resize: image.width must be a finite number, at most 1048576, got 1048577",
    );
    const { width: height, height: width, data: pixels } = strip(2 ** 20 + 1);
    expect(() => resize({ data: pixels, width, height }, { width: 3, height: 2 })).toThrow(
      "resize: image.height must be a finite number, at most 1048576, got 1048577",
    );
  });

  it("refuses sizes, filters, boxes and options that make no sense", () => {
    const refused: [object, RegExp][] = [
      [{ width: 0 }, /^resize: width must be an integer, at least 1 and at most 1048576, got 0$/],
      [{ width: 2 ** 20, height: 257 }, /width \* height must be at most 268435456, got 1048576 \* 257/],
      [{ width: 2 ** 20 + 1, height: 1 }, /resize: width must be .*1048576, got 1048577/],
      [{ width: 1, height: 2 ** 20 + 1 }, /resize: height must be .*1048576, got 1048577/],
      [{ height: 1.5 }, /height must be an integer, at least 1 and at most 1048576, got 1.5/],
      [
        { resample: "cubic" },
        /resample must be one of nearest, box, bilinear, hamming, bicubic, lanczos, got "cubic"/,
      ],
      [{ filter: "bicubic" }, /unknown option "filter"/],
      [{ box: [0, 0, 5, 3] as Box }, /box must be .* within \[0, 0, 4, 3\], got \[0, 0, 5, 3\]/],
      [{ box: [2, 0, 2, 3] as Box }, /box must be/],
      [{ box: [0, Number.NaN, 2, 3] as unknown as Box }, /box must be/],
    ];
    for (const [extra, message] of refused) {
      expect(() => resize(ramp, { width: 2, height: 2, ...extra })).toThrow(message);
    }
  });
});
