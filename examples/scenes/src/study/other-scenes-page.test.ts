import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { type Cell, resultPath, settingsOf } from "./cells.js";
import { methodNames } from "./comparisons.js";
import { otherScenesSection } from "./other-scenes-page.js";
import { otherScenesFile } from "./other-scenes-results.js";
import type { StudyPart } from "./plan.js";

it("compares each method's figures with those on other scenes", async () => {
  const folder = await mkdtemp(join(tmpdir(), "scenes-other-"));
  const part: StudyPart = {
    ...{ name: "question-1", title: "", split: "test", sets: [0, 1], seeds: [0] },
    methods: [
      { name: "rec chosen", method: "rec" },
      { name: "dcr chosen", method: "dcr" },
    ],
  };
  const cells: Cell[] = part.sets.map((set) => ({ part, set, seed: 0 }));
  const write = async (path: string, value: object) => {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, JSON.stringify(value));
  };
  try {
    for (const cell of cells) {
      const places = methodNames(part).map((name, i) => ({ name, P: 0.2 + i / 100, D: 0.6 - i / 100 }));
      const methods = places.map(({ name, P, D }) => [
        name,
        { figures: { means: { "P strict": P, D } }, patterns: {} },
      ]);
      await write(resultPath(cell, folder), {
        settings: settingsOf(cell),
        device: "wasm",
        methods: Object.fromEntries(methods),
      });
      // P falls by two points everywhere; D moves up in one set and down in the other.
      const others = places.map(({ name, P, D }) => [
        name,
        { "P strict": P - 0.02, D: D + (cell.set === 0 ? 0.01 : -0.01) },
      ]);
      await write(otherScenesFile.path(cell, folder), { seed: 5, methods: Object.fromEntries(others) });
    }
    const { section } = await otherScenesSection(cells, folder);
    expect(section).toContain("In 3 of 6 cases the interval of the change over model sets contains 0.");
    expect(section).toContain("P strict of `dcr` minus that of `rec`: +1.0 points");
    expect(section).toContain("| `dcr chosen` | 22.0 | 20.0 | −2.0 (−2.0 to −2.0) | 58.0 | 58.0 |");
  } finally {
    await rm(folder, { recursive: true });
  }
});
