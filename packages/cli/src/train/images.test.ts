import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { defaultConfig } from "../config/run-config.js";
import { openTrainingImages } from "./images.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "dcr-images-"));
});
afterAll(() => rm(folder, { recursive: true }));

const { augment } = defaultConfig;
const open = (where: string) =>
  openTrainingImages(where, { size: 8, batchSize: 4, seed: 0, strict: false, augment, log: () => {} });

/** A module whose source has these fields beside its methods. */
async function source(name: string, fields: string): Promise<string> {
  const path = join(folder, name);
  const methods = "position: () => ({}), restore() {}, close: async () => {}";
  await writeFile(path, `export default ({ size, batchSize }) => ({ ${methods}, ${fields} });`);
  return path;
}

it("takes a source of the batch and the size that it is asked for", async () => {
  expect(await open(await source("good.mjs", "size, batchSize"))).toMatchObject({ size: 8, batchSize: 4 });
});

it.each([
  ["size, batchSize: 2", "batchSize that it is asked for, 4, got 2"],
  ["size: 16, batchSize", "size that it is asked for, 8, got 16"],
  ["size", "batchSize that it is asked for, 4, got undefined"],
  ["size, batchSize, close: 3", "close(), got 3"],
])("refuses a source with %s", async (fields, message) => {
  const path = await source(`bad-${message.length}.mjs`, fields);
  await expect(open(path)).rejects.toThrow(
    `--images: ${path}: the source must have ${message.startsWith("close") ? "" : "the "}${message}`,
  );
});

it("tells what a module throws, even where that is no Error", async () => {
  const path = join(folder, "throws.mjs");
  await writeFile(path, 'export default () => { throw "no network"; };');
  await expect(open(path)).rejects.toThrow(`--images: ${path}: no network`);
});

it("takes a folder for a folder of photos, whatever its name ends in", async () => {
  for (const name of ["three.js", "x.csv"]) {
    await mkdir(join(folder, name));
    await expect(open(join(folder, name))).rejects.toThrow(
      `imageFolder: ${join(folder, name)} holds no images`,
    );
  }
});
