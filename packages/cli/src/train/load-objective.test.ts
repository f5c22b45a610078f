import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defaultConfig } from "../config/run-config.js";
import { loadObjective } from "./load-objective.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "dcr-objective-"));
});
afterAll(() => rm(folder, { recursive: true }));

const module = async (name: string, code: string) => {
  const path = join(folder, name);
  await writeFile(path, code);
  return path;
};

describe("loadObjective", () => {
  it("makes ours by name, and takes a module's default export", async () => {
    for (const name of ["rec", "con", "naive", "dcr"]) {
      expect((await loadObjective(name, defaultConfig)).name).toBe(name);
    }
    const path = await module(
      "mine.mjs",
      'export default { name: "mine", usesAugmented: false, usesPredictions: false, terms: () => [] };',
    );
    expect((await loadObjective(path, defaultConfig)).name).toBe("mine");
  });

  it("refuses naive without either of its losses", async () => {
    const naive = (lambdaCon: number, lambdaRec: number) =>
      loadObjective("naive", { ...defaultConfig, naive: { lambdaCon, lambdaRec } });
    await expect(naive(0, 0)).rejects.toThrow(
      "--lambda-con, --lambda-rec: one must be above 0, else naive trains nothing",
    );
    expect([(await naive(0, 1)).name, (await naive(1, 0)).name]).toEqual(["naive", "naive"]);
  });

  it("takes a measured temperature for the DCR loss only", async () => {
    const auto = { ...defaultConfig, temperature: "auto" as const };
    expect((await loadObjective("dcr", auto)).remember).toBeInstanceOf(Function);
    for (const name of ["con", "naive"]) {
      await expect(loadObjective(name, auto)).rejects.toThrow(
        `--temperature: auto is measured on the denoiser's predictions, and ${name} contrasts features`,
      );
    }
  });

  it("hands settings on, where they are checked", async () => {
    await expect(loadObjective("dcr", { ...defaultConfig, temperature: -1 })).rejects.toThrow(/temperature/);
  });

  it.each([
    ["none.mjs", undefined, /no such file, and no method of that name/],
    ["syntax.mjs", "export default {", /could not be imported \(/],
    ["nothing.mjs", "export const x = 1;", /must be an Objective of @dcr-js\/dcr, got undefined/],
    [
      "terms.mjs",
      'export default { name: "x", usesAugmented: true, usesPredictions: true };',
      /its terms must be a function, got undefined/,
    ],
    [
      "flag.mjs",
      'export default { name: "x", usesAugmented: 1, usesPredictions: true, terms() {} };',
      /its usesAugmented must be a boolean, got 1/,
    ],
  ])("names %s, which is none", async (name, code, message) => {
    const path = code === undefined ? join(folder, name) : await module(name, code);
    await expect(loadObjective(path, defaultConfig)).rejects.toThrow(message);
    await expect(loadObjective(path, defaultConfig)).rejects.toThrow(`--methods: ${path}: `);
  });
});
