import { syntheticPixels } from "@dcr-js/testing";
import { expect, it } from "vitest";
import { applyEvalTransform, type EvalTransform } from "./eval-transform.js";

const image = { data: syntheticPixels(2, 9, 6), width: 9, height: 6 };

// Values against transformers' are in golden.test.ts.
it("does what it is asked to and no more", () => {
  const plain = applyEvalTransform(image, {});
  expect([plain.width, plain.height]).toEqual([9, 6]);
  expect(plain.data[4]).toBe(Math.fround(image.data[4]! / 255));
  expect(applyEvalTransform(image, { rescaleFactor: 1 }).data[4]).toBe(image.data[4]);
  const floats = { ...image, data: new Float32Array(image.data.length).fill(0.5) };
  expect(applyEvalTransform(floats, {}).data[7]).toBe(0.5);
  const stretched = applyEvalTransform(image, { resize: { width: 4, height: 5 } });
  expect([stretched.width, stretched.height]).toEqual([4, 5]);
});

it("refuses settings that make no sense", () => {
  const refused: [object, RegExp][] = [
    [{ size: 3 }, /applyEvalTransform: transform: unknown option "size"/],
    [{ resize: { shortestEdge: 0 } }, /transform\.resize\.shortestEdge must be/],
    [{ resize: { shortestEdge: 4, longest: 5 } }, /unknown option "longest"/],
    [{ resize: { width: 4 } }, /transform\.resize\.height must be an integer, at least 1, got undefined/],
    [{ resize: 224 }, /transform\.resize must be \{ width, height \}, got 224/],
    [{ crop: { width: 4, height: 0 } }, /transform\.crop\.height must be/],
    [{ resample: 3 }, /transform\.resample must be one of .* got 3/],
    [{ rescaleFactor: 0 }, /transform\.rescaleFactor must be a finite number, greater than 0, got 0/],
    [{ normalize: { mean: [0, 0, 0], std: [1, 0, 1] } }, /normalize\.std\[1\] must be/],
    [
      { normalize: { mean: [0, 0], std: [1, 1, 1] } },
      /normalize\.mean must be three numbers, got an array of 2/,
    ],
  ];
  for (const [settings, message] of refused) {
    expect(() => applyEvalTransform(image, settings as EvalTransform), JSON.stringify(settings)).toThrow(
      message,
    );
  }
});
