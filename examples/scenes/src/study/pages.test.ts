import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cell, cellsOf, exampleFolder, resultPath, settingsOf } from "./cells.js";
import { chooseAll } from "./choose-all.js";
import { methodNames } from "./comparisons.js";
import type { Costs } from "./costs-results.js";
import { studyPages } from "./pages.js";
import { testParts, tuningParts } from "./plan.js";
import type { MethodResult, RawResult } from "./raw-results.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "scenes-study-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Every method gains a point of P and loses half a point of D for each place in the list; a set adds a point to both. */
async function writeResult(cell: Cell): Promise<void> {
  const methods = methodNames(cell.part).map((name, i): [string, MethodResult] => {
    const off = (cell.set + cell.seed / 10) / 100;
    const P = 0.2 + i / 100 + off;
    const figures = { means: { D: 0.6 - i / 200 + off, "P strict": P, "P two-way": P + 0.5, "k-NN": 0.8 } };
    const patterns = { "P two-way": { facing: 0.5 + i / 100, count: 0.7 } };
    const similarity = { "similarity/target": 0.9 + off, "similarity/targetSpread": 0.01 };
    const training = { drift: i / 10, steps: 300, secondsPerStep: 0.5, first: similarity, last: similarity };
    return [name, { figures, patterns, ...(i > 0 && { training }) }];
  });
  const result: RawResult = {
    settings: settingsOf(cell),
    device: "wasm",
    methods: Object.fromEntries(methods),
  };
  const path = resultPath(cell, folder);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, JSON.stringify(result));
}

describe("studyPages", () => {
  it("says what is not run, and shows no figure of a part that is not complete", async () => {
    const [first] = cellsOf(tuningParts[0]);
    await writeResult(first);
    const pages = await studyPages(folder);
    expect(Object.keys(pages)).toEqual(["tuning.md", "README.md"]);
    expect(pages["tuning.md"]).toContain("1 of 2 runs are done. The figures appear here when all are done.");
    expect(pages["README.md"]).toContain("Not run yet: tuning comes first.");
    expect(await chooseAll(folder)).toBeUndefined();
  });

  it("shows the choice, then each question with its primary comparison", async () => {
    for (const part of tuningParts) for (const cell of cellsOf(part)) await writeResult(cell);
    const chosen = (await chooseAll(folder))!;
    // The last has the highest P and costs three points of D.
    expect(chosen.dcr.name).toBe(tuningParts[6].methods[5].name);
    for (const part of testParts(chosen)) for (const cell of cellsOf(part)) await writeResult(cell);
    const parts = testParts(chosen);
    const names = parts.flatMap(({ beside = [], methods }) => [
      ...beside,
      ...methods.map(({ name }) => name),
    ]);
    const costs: Costs = {
      machine: "test",
      node: "v20",
      steps: 30,
      secondsPerStep: Object.fromEntries(names.map((name) => [name, name === "rec chosen" ? 0.1 : 0.25])),
    };
    await writeFile(join(folder, "costs.json"), JSON.stringify(costs));
    const pages = await studyPages(folder);
    expect(Object.keys(pages)).toHaveLength(tuningParts.length + parts.length + 2);
    const page = pages["README.md"];
    const headings = page.match(/^## Question \d/gm)!;
    expect(headings).toEqual([...headings].sort());
    expect(page).toContain(
      "| [Question 3](#question-3-the-predictions-that-the-gradient-flows-through): D of `dcr anchor` minus `dcr chosen` | +1.5 (+1.5 to +1.5) | it is higher |",
    );
    expect(page).toContain(
      "`dcr` with 100 steps and `rec` with 300 (25 s against 30 s): P strict of the first minus",
    );
    expect(page).toContain("A step takes 0.250 s with `dcr chosen`, 0.250 s with `dcr anchor` (1.00 times)");
    expect(page.match(/^\| `dcr` minus `con` \| /gm)).toHaveLength(2);
    expect(page).toContain("| `rec chosen` | 0.100 | 1.0 |");
    expect(page).toContain("| `dcr tau 0.01` | 0.9110 ± 0.0087 | 0.0100 ± 0.0000 |");
    // Half a point for each of three places, in every set and seed alike.
    expect(page).toContain(
      "D of `dcr anchor` minus `dcr chosen`: +1.5 points (95 % over model sets +1.5 to +1.5; over runs +1.5 to +1.5): it is higher.",
    );
    const six = parts
      .map(({ beside = [], methods }) => [...beside, ...methods.map(({ name }) => name)])
      .find((shown) => shown.length === 6)!
      .map((name) => `\`${name}\``);
    const listed = `${six.slice(0, 5).join(", ")} and ${six[5]}`;
    expect(page).toContain(
      `Against \`original\`, over model sets: P strict rises with ${listed}. D falls with ${listed}.`,
    );
    expect(page).toContain("Two-way accuracy by factor");
    expect(pages["question-1.svg"]).toMatch(/^<svg [\s\S]*dcr chosen<\/text>[\s\S]*<\/svg>\n$/);
    expect(JSON.stringify(pages)).not.toMatch(/NaN|undefined/);
  });

  it("refuses a result of other settings", async () => {
    const [cell] = cellsOf(tuningParts[0]);
    const path = resultPath(cell, folder);
    await writeFile(path, (await readFile(path, "utf8")).replace('"rank":16', '"rank":8'));
    await expect(studyPages(folder)).rejects.toThrow(`${path}: its settings are not those of the plan`);
  });
});

it("docs/study is what the committed results give", async () => {
  for (const [name, content] of Object.entries(await studyPages())) {
    const path = join(exampleFolder, "../../docs/study", name);
    expect(existsSync(path), name).toBe(true);
    expect(await readFile(path, "utf8"), name).toBe(content);
  }
});
