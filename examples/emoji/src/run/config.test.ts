import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkRunConfig, defaultSettings, type RunConfig, readRunConfig } from "./config.js";

const config: RunConfig = {
  ...defaultSettings(true),
  methods: ["original", "dcr"],
  seeds: [0, 1],
  device: "wasm",
  models: "/models",
  evaluate: "reserved",
};

describe("checkRunConfig", () => {
  it("takes what a run starts from, quick and full", () => {
    expect(checkRunConfig("options", config)).toEqual(config);
    expect(checkRunConfig("options", { ...config, ...defaultSettings(false) }).quick).toBe(false);
  });

  it.each<[string, object, RegExp]>([
    ["a method twice", { methods: ["dcr", "dcr"] }, /^options: methods: each once$/],
    ["a seed twice", { seeds: [1, 1] }, /^options: seeds: each once$/],
    ["a batch of one", { enhance: { ...config.enhance, batch: 1 } }, /^options: enhance.batch: .*2$/],
    ["a setting that does not exist", { step: 3 }, /^options: .*"step"$/],
    ["two mistakes", { models: 3, temperature: 0 }, /^options: models: .*; temperature: .*$/],
  ])("says in one line what is wrong with %s", (_, change, message) => {
    expect(() => checkRunConfig("options", { ...config, ...change })).toThrow(message);
  });
});

describe("readRunConfig", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "emoji-config-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it("names the folder or the file", async () => {
    const path = join(folder, "config.json");
    await expect(readRunConfig(folder)).rejects.toThrow(`${folder}: no run to resume`);
    await writeFile(path, "{");
    await expect(readRunConfig(folder)).rejects.toThrow(`${path}: not valid JSON`);
    await writeFile(path, JSON.stringify({ ...config, seeds: [] }));
    await expect(readRunConfig(folder)).rejects.toThrow(`${path}: seeds: `);
    await writeFile(path, JSON.stringify(config));
    expect(await readRunConfig(folder)).toEqual(config);
  });
});
