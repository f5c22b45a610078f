import { expect, it } from "vitest";
import { formatSeconds } from "./progress.js";

it("formatSeconds takes the largest unit that leaves two digits", () => {
  expect([0.4, 119, 120, 7199, 7200, 172_799, 172_800].map(formatSeconds)).toEqual([
    "0 s",
    "119 s",
    "2 min",
    "120 min",
    "2.0 h",
    "48.0 h",
    "2.0 days",
  ]);
});
