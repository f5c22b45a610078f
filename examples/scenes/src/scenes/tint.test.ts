import { expectClose } from "@dcr-js/testing";
import { describe, it } from "vitest";
import { tinted } from "./tint.js";

describe("tinted", () => {
  it.each([
    // Computed by hand: red's hue of 0 degrees becomes 150, where green is full and blue half.
    ["red", [255, 0, 0, 255], [0, 255, 128, 255]],
    ["green", [0, 255, 0, 7], [128, 0, 255, 7]],
    ["blue", [0, 0, 255, 255], [255, 128, 0, 255]],
    // Saturation 0 becomes 0.24: of value 200 a least channel of 152, and blue half way.
    ["grey", [200, 200, 200, 255], [152, 200, 176, 255]],
    ["black", [0, 0, 0, 255], [0, 0, 0, 255]],
  ])("turns the hue of %s by 150 degrees", (_, rgba, expected) => {
    // Half of 255 lies between two bytes.
    expectClose(Float32Array.from(tinted(Uint8Array.from(rgba))), Float32Array.from(expected), {
      absolute: 1,
    });
  });
});
