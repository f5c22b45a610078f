import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TheoremOne } from "@dcr-js/dcr";
import { expect, it } from "vitest";
import { rankCorrelation, theoremOneSection } from "./theorem-1-page.js";
import { theoremOneFile } from "./theorem-1-results.js";

it("correlates ranks as scipy.stats.spearmanr does, ties included", () => {
  expect(rankCorrelation([1, 2, 3, 4, 5], [5, 6, 7, 8, 7])).toBeCloseTo(0.8207826816681233, 12);
  expect(rankCorrelation([1, 10, 100], [3, 2, 1])).toBeCloseTo(-1, 12);
});

const entry = (inner: number): TheoremOne => ({
  features: { inner, inter: 1 },
  noises: { inner: 1, inter: 1 },
  lower: 0.5,
  upper: 2,
  innerBound: 4,
  kappa: 0.25,
  eta: 3.75,
  interBound: -3.5,
});

it("counts where the bounds hold and where they say something, when all runs are measured", async () => {
  const folder = await mkdtemp(join(tmpdir(), "scenes-theorem-"));
  const part = {
    name: "question-1",
    title: "",
    split: "test",
    sets: [0],
    seeds: [0, 1],
    methods: [],
  } as const;
  const cells = [0, 1].map((seed) => ({ part, set: 0, seed }));
  try {
    for (const cell of cells) {
      const path = theoremOneFile.path(cell, folder);
      await mkdir(dirname(path), { recursive: true });
      expect((await theoremOneSection(cells, folder)).section).toContain(
        cell.seed === 0 ? "Not run yet." : "1 of 2 runs are measured.",
      );
      const methods = { original: [entry(1 + cell.seed)], "dcr chosen": [entry(3 + 2 * cell.seed)] };
      await writeFile(path, JSON.stringify({ timesteps: [400], methods }));
    }
    const { section, picture } = await theoremOneSection(cells, folder);
    // Within-class scatters of 1, 2, 3 and 5 have the bound 4: it fails for the last.
    expect(section).toContain("Both bounds hold in 3 of 4 measurements");
    expect(section).toContain("is above 0 in 0");
    expect(section).toContain(
      "| `original` | 58.3 ± 11.8 | 50.0 ± 0.0 | 3.0 ± 1.4 | -3.5 ± 0.0 | 4.0 ± 0.0 |",
    );
    expect(picture).toMatch(/^<svg [\s\S]*dcr chosen<\/text>/);
  } finally {
    await rm(folder, { recursive: true });
  }
});
