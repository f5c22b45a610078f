import { expectClose } from "@dcr-js/testing";
import { describe, expect, it } from "vitest";
import { conFIG } from "./con-fig.js";

const dot = (a: number[], b: number[]) => a.reduce((sum, x, i) => sum + x * b[i], 0);
const direction = (rows: number[][], preference?: number[]) => {
  const { weights } = conFIG({ preference }).weigh(rows.flatMap((a) => rows.map((b) => dot(a, b))));
  return rows[0].map((_, d) => rows.reduce((sum, row, i) => sum + weights[i] * row[d], 0));
};
const cosine = (a: number[], b: number[]) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));

describe("conFIG", () => {
  it("has cosines in proportion to the preference, and the summed length of the projections", () => {
    const rows = [
      [1, 2, 0],
      [-1, 0.5, 3],
    ];
    for (const preference of [undefined, [1, 1], [3, 1]]) {
      const d = direction(rows, preference);
      const [p, q] = preference ?? [1, 1];
      expectClose([cosine(d, rows[0]) / cosine(d, rows[1])], [p / q], { relative: 1e-12 });
      const along = rows.reduce((sum, row) => sum + dot(row, d) / Math.sqrt(dot(d, d)), 0);
      expectClose([Math.sqrt(dot(d, d))], [along], { relative: 1e-12 });
    }
    expectClose(direction(rows, [3e30, 1e30]), direction(rows, [3, 1]), { relative: 1e-12 });
  });

  // Values of TorchJD 0.18, ConFIG()(matrix) in float64.
  it.each([
    {
      rows: [
        [1, 0],
        [0, 1],
        [-1, -0.2],
      ],
      expected: [-0.06786655553354794, 0.7942006223232173],
    },
    {
      rows: [
        [3, 0],
        [0, 2],
        [1, 1],
      ],
      expected: [3.5, 3.5],
    },
    {
      rows: [
        [1, 0],
        [1, 1],
        [1, 2],
        [-1, 3],
      ],
      expected: [3.529822128134704, 4.897366596101028],
    },
  ])("is the least squares direction of dependent gradients $rows, as TorchJD's", ({ rows, expected }) => {
    expectClose(direction(rows), expected, { relative: 1e-12 });
  });

  it("may conflict with dependent gradients", () => {
    const rows = [
      [1, 0],
      [0, 1],
      [-1, -0.2],
    ];
    expect(cosine(direction(rows), rows[0])).toBeLessThan(-0.08);
  });
});
