import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CLIPModel } from "@dcr-js/encoders";
import { initialize } from "@dcr-js/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadEmoji } from "./data/emoji.js";
import { packageFolder } from "./data/emoji-list.js";

/** The built program, as a user runs it. */
const own = fileURLToPath(new URL("..", import.meta.url));
const program = join(own, "dist/main.js");

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

// Not "auto": looking for a GPU makes some drivers' libraries write to stderr.
function run(args: string[], main = program): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [main, "--device", "wasm", ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, INIT_CWD: folder },
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (text: Buffer) => {
      stdout += text.toString();
    });
    child.stderr.on("data", (text: Buffer) => {
      stderr += text.toString();
    });
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "emoji-run-"));
  await initialize({ device: "wasm" });
  // So that no run below has to decode them.
  await loadEmoji();
});
afterAll(() => rm(folder, { recursive: true }));

describe("the main job", () => {
  it("runs the command on emoji and reports what a method did", async () => {
    const few = ["--methods", "original,naive", "--align-steps", "2", "--steps", "2", "--seed", "5"];
    const ended = await run(["--quick", ...few, "--out", "whole"]);
    expect(ended.stderr).toBe("");
    expect(ended.stdout).toMatch(/^original +[\d. ]+$/m);
    expect(ended.stdout).toMatch(/^report: whole\/report\.html$/m);
    expect(ended.code).toBe(0);

    const results = JSON.parse(readFileSync(join(folder, "whole/results.json"), "utf8"));
    const groups = ["D-Ability", "P-Ability", "retention", "means"];
    expect(Object.keys(results.figures.original)).toEqual(groups);
    // Models and protocol as recorded in the README.
    expect(results.figures.original["P-Ability"].image.mean).toBeCloseTo(0.509, 3);
    expect(results.conflict).toMatchObject([{ method: "naive", pair: "con/rec", steps: 2 }]);
    const report = readFileSync(join(folder, "whole/report.html"), "utf8");
    for (const text of [
      "P image",
      "Features, before and after",
      "what the denoiser paints from its feature",
    ]) {
      expect(report).toContain(text);
    }
    expect(report).not.toMatch(/(src|href)="(?!data:)/);
    const encoder = await CLIPModel.fromPretrained(join(folder, "whole/encoder"));
    expect(encoder.featureSize).toBe(64);
    encoder.dispose();
  }, 600_000);
});

describe("bad input", () => {
  it("refuses models of other images", async () => {
    const clip = fileURLToPath(new URL("../../../packages/encoders/fixtures/clip-gelu", import.meta.url));
    const { code, stderr } = await run(["--quick", "--encoder", clip, "--out", "refused"]);
    expect(stderr).toMatch(/^error: .*\n$/);
    expect(code).toBe(1);
    expect(existsSync(join(folder, "refused"))).toBe(false);
  });

  it.skipIf(process.platform === "win32")("refuses an image that cannot be read", async () => {
    // The example as installed beside packages that are links to the real ones, but for one image.
    const example = join(folder, "example");
    for (const part of ["package.json", "dist", "data", "models", "emoji.yaml", "quick.yaml"]) {
      await cp(join(own, part), join(example, part), { recursive: true });
    }
    const google = packageFolder("emoji-datasource-google");
    const installed = join(google, "..");
    const [packages, images] = ["node_modules", "node_modules/emoji-datasource-google/img/google/64"].map(
      (name) => join(example, name),
    );
    await mkdir(images, { recursive: true });
    for (const name of readdirSync(installed)) {
      if (name !== "emoji-datasource-google") await symlink(join(installed, name), join(packages, name));
    }
    // Not links: a package is where its package.json really is.
    for (const name of ["package.json", "emoji.json"]) {
      await cp(join(google, name), join(packages, "emoji-datasource-google", name));
    }
    const [broken, ...others] = readdirSync(join(google, "img/google/64"));
    await writeFile(join(images, broken), "not a picture");
    for (const name of others) await symlink(join(google, "img/google/64", name), join(images, name));

    const { code, stderr } = await run(["--quick", "--out", "unread"], join(example, "dist", "main.js"));
    expect(stderr).toMatch(new RegExp(`^error: .*cannot decode ${join(images, broken)}: .*\n$`));
    expect(code).toBe(1);
    expect(existsSync(join(folder, "unread"))).toBe(false);
    expect(existsSync(join(example, ".cache"))).toBe(false);
  });
});
