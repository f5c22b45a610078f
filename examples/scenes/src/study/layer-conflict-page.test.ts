import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { layerConflictSection } from "./layer-conflict-page.js";
import { layerConflictFile, timesteps } from "./layer-conflict-results.js";

it("shows mean cosines, their intervals and the scatter of single batches, when all runs are measured", async () => {
  const folder = await mkdtemp(join(tmpdir(), "scenes-layers-"));
  const part = {
    name: "question-1",
    title: "",
    split: "test",
    sets: [0, 1],
    seeds: [0],
    methods: [],
  } as const;
  const cells = part.sets.map((set) => ({ part, set, seed: 0 }));
  // Layer 1: the same in both sets, above 0. Layer 2: below 0 in one set and above 0 in the other.
  const cosines = (set: number) => ({
    "layer 1": [0.1, 0.3],
    "layer 2": set === 0 ? [-0.5, -0.25] : [0.25, 0.5],
  });
  const byLayer = (set: number) =>
    Object.fromEntries(
      Object.entries(cosines(set)).map(([layer, own]) => [
        layer,
        Object.fromEntries(timesteps.map((timestep) => [timestep, own])),
      ]),
    );
  try {
    expect((await layerConflictSection(cells, folder)).section).toContain("Not run yet.");
    for (const cell of cells) {
      const path = layerConflictFile.path(cell, folder);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(
        path,
        JSON.stringify({
          weights: { "layer 1": 400, "layer 2": 10_000 },
          methods: { original: byLayer(cell.set) },
        }),
      );
      const half = (await layerConflictSection(cells, folder)).section;
      if (cell.set === 0) expect(half).toContain("1 of 2 runs are measured");
    }
    const { section, picture } = await layerConflictSection(cells, folder);
    expect(section).toContain("between +0.000 and +0.200, and 0 % to 50 % of the batches");
    expect(section).toContain("above 0 in 5 of 10 places and below 0 in 0");
    // Sample deviations: of 0.1, 0.3 twice, and of -0.5, -0.25, 0.25, 0.5.
    expect(section).toContain(
      "scatter by 0.12 to 0.46, and two random directions would by 0.010 to 0.050: the gradients of a batch are not orthogonal",
    );
    expect(picture).toContain("+0.200 (0 %)");
    expect(picture).toContain("+0.000 (50 %)");
  } finally {
    await rm(folder, { recursive: true });
  }
});
