import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import { readRunConfig } from "../config/read-config.js";
import { defaultConfig, type RunConfig } from "../config/run-config.js";
import { inTemporaryRun } from "./temporary-run.js";

const config = { ...defaultConfig, encoder: "e", diffusion: "d", images: "i" } as RunConfig;
afterEach(() => vi.unstubAllEnvs());

it("gives a run's folder with its settings, and removes it, also after an error", async () => {
  let folder = "";
  await inTemporaryRun(config, async (given) => {
    folder = given;
    expect(await readRunConfig(folder)).toEqual(config);
  });
  expect(existsSync(folder)).toBe(false);
  const failing = inTemporaryRun(config, async (given) => {
    folder = given;
    throw new Error("no network");
  });
  await expect(failing).rejects.toThrow("no network");
  expect(existsSync(folder)).toBe(false);
});

it.skipIf(process.platform === "win32")("says where no temporary folder can be made", async () => {
  const none = join(import.meta.dirname, "none");
  vi.stubEnv("TMPDIR", none);
  await expect(inTemporaryRun(config, async () => {})).rejects.toThrow(
    new RegExp(`^no temporary folder can be made in ${none} \\(ENOENT.*\\); set TMPDIR$`),
  );
});
