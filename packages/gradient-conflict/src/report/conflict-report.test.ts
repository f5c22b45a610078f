import { beforeAll, describe, expect, it } from "vitest";
import { conflictFromGram, type GradientConflict } from "../measure/conflict.js";
import type { ConflictRecord } from "../record/conflict-record.js";
import { conflictReport } from "./conflict-report.js";
import { cosineCells, cosineHistogram, cosineLines } from "./svg.js";

/** Unit gradients in a plane, at these angles. */
function conflict(angles: Record<string, number>): GradientConflict {
  const list = Object.values(angles);
  return conflictFromGram(
    Object.keys(angles),
    list.flatMap((a) => list.map((b) => Math.cos(a - b))),
  );
}

const records: ConflictRecord[] = Array.from({ length: 500 }, (_, step) => ({
  step,
  conflict: {
    ...conflict({ con: 0, rec: Math.PI * (step / 500), "<b>": 1 }),
    groups: { "layers.0": conflict({ con: 0, rec: 3 }), "layers.1": conflict({ con: 0, rec: 1 }) },
  },
}));

describe("conflictReport", () => {
  let html: string;
  beforeAll(() => {
    html = conflictReport(records, { title: 'A & "B"', window: 50 });
  });

  it("is one page with every chart, that loads nothing", () => {
    for (const title of [
      "Cosine over time",
      "Histogram of cosines",
      "Cosine by layer and step, con and rec",
      "Mean cosine of each pair",
    ]) {
      expect(html).toContain(`<title>${title}</title>`);
    }
    expect(html).not.toMatch(/(src|href)=|url\(|@import|<script/);
    expect(html).toContain("prefers-color-scheme:dark");
    expect(html).toContain("500 steps, 0 to 499; 3 pairs of losses");
    // Long runs are averaged: three lines of at most 360 points, and heat maps of at most 120 columns.
    expect(html.length).toBeLessThan(120_000);
  });

  it("escapes the names", () => {
    expect(html).not.toContain("<b>");
    expect(html).toContain("con and &lt;b&gt;");
    expect(html).toContain("<h1>A &amp; &quot;B&quot;</h1>");
  });

  it("tells the rates over the run and in the window", () => {
    // The angle passes a right angle after step 250, where the cosine is 0.
    const row = /<tr><td>con and rec<\/td><td>all<\/td>(.*?)<\/tr>/.exec(html)![1];
    const cells = [...row.matchAll(/<td>(.*?)<\/td>/g)].map(([, cell]) => cell);
    expect(cells[0]).toBe("500");
    expect(cells[1]).toBe("49.8 %");
    expect(cells[3]).toBe("100 %");
    expect(html).toContain("<td>con and rec</td><td>layers.0</td><td>500</td><td>100 %</td><td>-0.99</td>");
  });

  it("draws a run of one step, and orders steps", () => {
    expect(conflictReport([records[7]])).toContain("<circle");
    expect(conflictReport([...records].reverse())).toBe(conflictReport(records));
  });

  it("refuses no records, broken ones and unknown options", () => {
    expect(() => conflictReport([])).toThrow(
      "records must be an array of at least one record, got an array of 0",
    );
    expect(() => conflictReport([records[0], { step: 1 } as never])).toThrow("records[1]: conflict must be");
    expect(() => conflictReport(records, { windows: 3 } as never)).toThrow('unknown option "windows"');
    expect(() => conflictReport([{ step: 0, conflict: conflict({ one: 0 }) }])).toThrow("no pair of losses");
  });
});

describe("charts", () => {
  it("the histogram counts each cosine once, ends included", () => {
    const svg = cosineHistogram("h", [-1, -0.95, 0, 1, 1]);
    const counts = [...svg.matchAll(/: (\d+)<\/title>/g)].map(([, count]) => Number(count));
    expect(counts.length).toBe(20);
    expect([counts[0], counts[10], counts[19]]).toEqual([2, 1, 2]);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(5);
  });

  it("cells show sign by colour and size by opacity, and skip what is missing", () => {
    const svg = cosineCells("c", ["a", "b"], {
      columns: ["a", "b"],
      cell: (i, j) => (i === j ? undefined : i === 0 ? -0.25 : 0.5),
      wide: false,
    });
    expect([...svg.matchAll(/class="(\w+)" fill-opacity="([\d.]+)"/g)].map(([, c, o]) => [c, o])).toEqual([
      ["against", "0.25"],
      ["with", "0.5"],
    ]);
  });

  it("lines go from the first step at the left to the last at the right, and from 1 above to -1 below", () => {
    const svg = cosineLines("l", [
      {
        points: [
          [10, 1],
          [20, 0],
          [30, -1],
        ],
      },
    ]);
    // The plot lies between 48 and 708, and between 8 and 196.
    expect(svg).toContain('d="M48 8L378 102L708 196"');
    expect(cosineLines("l", [{ points: [[10, 0.5]] }])).toContain('cx="378" cy="55"');
  });
});

describe("drawings", () => {
  it("are those that were looked at", async () => {
    const names = ["a", "b", "c", "d", "a long name of a loss"];
    const angles = (step: number) =>
      Object.fromEntries(names.map((name, i) => [name, i * (0.7 + 0.1 * step) + (i === 2 ? step / 3 : 0)]));
    const few: ConflictRecord[] = [4, 0, 3, 1].map((step) => ({
      step,
      conflict: {
        ...conflict(angles(step)),
        groups: {
          "layers.0": conflict({ a: 0, b: 3 - step / 2 }),
          // A group that is not measured at every step.
          ...(step > 2 && { [`layers.1.${"x".repeat(40)}`]: conflict({ a: 0, b: 1 }) }),
        },
      },
    }));
    await expect(conflictReport(few)).toMatchFileSnapshot("../../fixtures/conflict-report.html");
    await expect(conflictReport([few[1]], { title: "One step", window: 1 })).toMatchFileSnapshot(
      "../../fixtures/conflict-report-of-one-step.html",
    );
  });

  it("are those of means where there are more steps than room", () => {
    // 800 steps: points of 3 steps, columns of 7.
    const many: ConflictRecord[] = Array.from({ length: 800 }, (_, step) => {
      const angle = step % 3 === 0 ? 0 : Math.PI / 2;
      return {
        step,
        conflict: {
          ...conflict({ a: 0, b: angle }),
          groups: { layer: conflict({ a: 0, b: step < 7 ? Math.PI : 0 }) },
        },
      };
    });
    const html = conflictReport(many);
    // Each point is the mean of cosines 1, 0 and 0.
    const [, path] = /<path class="line"[^>]*d="M([^"]*)"/.exec(html)!;
    const points = path.split("L").map((point) => point.split(" ").map(Number));
    expect(points).toHaveLength(267);
    for (const [, y] of points.slice(0, -1)) expect(y).toBeCloseTo(8 + ((1 - 1 / 3) / 2) * 188, 2);
    const told = [...html.matchAll(/<title>layer, (step \d+): ([-\d.]+)<\/title>/g)].map(
      ([, ...cell]) => cell,
    );
    expect(told).toHaveLength(115);
    expect(told.slice(0, 2)).toEqual([
      ["step 0", "-1"],
      ["step 7", "1"],
    ]);
  });
});
