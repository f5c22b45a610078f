import { expect, it } from "vitest";
import { philox } from "./philox.js";

// Random123's kat_vectors, the three lines of philox4x32-10.
it.each([
  [
    [0, 0],
    [0, 0, 0, 0],
    [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  ],
  [
    [0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  ],
  [
    [0xa4093822, 0x299f31d0],
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  ],
])("gives the known answer for key %j and counter %j", (key, counter, expected) => {
  const out = new Uint32Array(6);
  philox(key as [number, number], counter as [number, number, number, number], out, 1);
  expect([...out]).toEqual([0, ...expected, 0]);
});
