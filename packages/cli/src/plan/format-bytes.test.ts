import { expect, it } from "vitest";
import { formatBytes } from "./format-bytes.js";

it("formatBytes takes the unit that leaves three digits", () => {
  expect([0, 999, 1000, 1536, 2 ** 20, 1.75 * 2 ** 30, 5 * 2 ** 40].map(formatBytes)).toEqual([
    "0 B",
    "999 B",
    "0.977 KiB",
    "1.5 KiB",
    "1 MiB",
    "1.75 GiB",
    "5 TiB",
  ]);
});
