import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { evaluateEncoder } from "../evaluate/evaluate-encoder.js";
import type { EvaluationInput } from "../evaluate/evaluation-input.js";
import { openTrainingImages } from "../train/images.js";
import { loadObjective } from "../train/load-objective.js";
import { hashModule, importDefault } from "./import-default.js";
import { defaultConfig } from "./run-config.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "dcr-import-"));
  await mkdir(join(folder, "folder.mjs"));
  await writeFile(join(folder, "syntax.mjs"), "export default {");
  await writeFile(join(folder, "throws.mjs"), 'throw "no network";');
  await writeFile(join(folder, "three.mjs"), "export default 3;");
  if (process.platform !== "win32") execFileSync("mkfifo", [join(folder, "fifo.mjs")]);
});
afterAll(() => rm(folder, { recursive: true }));

it("gives the default export", async () => {
  expect(await importDefault(join(folder, "three.mjs"))).toBe(3);
  // printf 'export default 3;' | sha256sum
  expect(await hashModule(join(folder, "three.mjs"))).toBe(
    "c71b58b96b8f8c43187487007d75a92ceeabc859a106090f81ebe1db8b79c58c",
  );
});

const users: [string, (path: string) => Promise<unknown>, RegExp][] = [
  ["methods", (path) => loadObjective(path, defaultConfig), /^--methods: /],
  [
    "images",
    (where) =>
      openTrainingImages(where, {
        ...{ size: 8, batchSize: 2, seed: 0, strict: false, log: () => {} },
        augment: defaultConfig.augment,
      }),
    /^--images: /,
  ],
  [
    "an evaluation",
    (path) => evaluateEncoder([path], { encoder: { train() {} } } as unknown as EvaluationInput),
    /^/,
  ],
];

it.each(users)("%s: names a module that cannot be read, and waits for none", async (user, load, option) => {
  const said = async (name: string) => {
    const error = await load(join(folder, name)).catch((thrown: Error) => thrown);
    expect((error as Error).message).toMatch(option);
    return (error as Error).message;
  };
  expect(await said("none.mjs")).toMatch(/no such file/);
  expect(await said("syntax.mjs")).toMatch(/could not be imported \(/);
  expect(await said("throws.mjs")).toMatch(/could not be imported \(no network\)/);
  if (user !== "images") expect(await said("folder.mjs")).toMatch(/expected a file, got a folder/);
  if (process.platform !== "win32") expect(await said("fifo.mjs")).toMatch(/expected a file, got a FIFO/);
});
