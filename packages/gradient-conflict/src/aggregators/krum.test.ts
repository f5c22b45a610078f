import { describe, expect, it } from "vitest";
import { krum } from "./krum.js";

const gramOf = (rows: number[][]) =>
  rows.flatMap((a) => rows.map((b) => a.reduce((sum, x, i) => sum + x * b[i], 0)));
const chosen = (options: Parameters<typeof krum>[0], rows: number[][]) =>
  Array.from(krum(options).weigh(gramOf(rows)).weights);

describe("krum", () => {
  // On a line: three near one another, two far away on either side.
  const rows = [[0], [1], [2.5], [20], [-30]];

  it("takes the gradient whose nearest others are nearest, one by default", () => {
    // Sums of the 3 nearest distances: row 0: 1 + 2.5 + 20 = 23.5; row 1: 1 + 1.5 + 19 = 21.5; row 2: 1.5 + 2.5 + 17.5 = 21.5. Row 1 comes first.
    expect(chosen({}, rows)).toEqual([0, 1, 0, 0, 0]);
    expect(chosen({ selected: 2 }, rows)).toEqual([0, 0.5, 0.5, 0, 0]);
  });

  it("counts fewer neighbours where more gradients may be arbitrary", () => {
    // Of the nearest two: row 0 has 3.5, row 1 has 2.5, row 2 has 4; of the nearest one: 1, 1, 1.5.
    expect(chosen({ byzantine: 1 }, rows)).toEqual([0, 1, 0, 0, 0]);
    expect(chosen({ byzantine: 1, selected: 3 }, rows)).toEqual([1 / 3, 1 / 3, 1 / 3, 0, 0]);
    // Equal scores: the first in order.
    expect(chosen({ byzantine: 2 }, rows)).toEqual([1, 0, 0, 0, 0]);
  });

  it("measures distances of zero and of very long gradients", () => {
    expect(
      chosen({}, [
        [0, 0],
        [0, 0],
        [3, 4],
      ]),
    ).toEqual([1, 0, 0]);
    // The squares of these fit in a float64, up to 1.7e308; those of their distances would not.
    const long = 3e153;
    expect(chosen({}, [[-4.3 * long], [-4 * long], [1.1 * long], [long]])).toEqual([0, 0, 0, 1]);
  });

  it("refuses too few losses and settings out of range", () => {
    expect(() => krum({ byzantine: 1 }).weigh(gramOf([[1], [2], [3]]))).toThrow(
      "krum: the number of losses must be an integer, at least 4, got 3",
    );
    expect(() => krum({ selected: 4 }).weigh(gramOf([[1], [2], [3]]))).toThrow("at least 4, got 3");
    expect(() => krum({ byzantine: -1 })).toThrow("krum: byzantine must be an integer, at least 0, got -1");
    expect(() => krum({ selected: 0 })).toThrow("krum: selected must be an integer, at least 1, got 0");
  });
});
