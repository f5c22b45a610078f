import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CLIPModel } from "@dcr-js/dcr";
import { initialize, Random, readSafetensors, type StateDict, writeSafetensors } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadEmoji } from "./data/emoji.js";
import { packageFolder } from "./data/emoji-list.js";
import { readMetrics } from "./run/metrics-file.js";
import { ownModels } from "./run/models.js";
import type { Results } from "./run/results.js";

/** The built program, as a user runs it. */
const program = fileURLToPath(new URL("../dist/main.js", import.meta.url));

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a command; `until` is asked now and then, and the first time it holds the command gets a Ctrl-C. */
function runCommand(command: string, args: string[], until?: () => boolean): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (text: Buffer) => {
      stdout += text.toString();
    });
    child.stderr.on("data", (text: Buffer) => {
      stderr += text.toString();
    });
    const timer = setInterval(() => {
      if (!until?.()) return;
      clearInterval(timer);
      child.kill("SIGINT");
    }, 50);
    child.on("close", (code) => {
      clearInterval(timer);
      resolve({ code, stdout, stderr });
    });
  });
}

// Not "auto": looking for a GPU makes some drivers' libraries write to stderr.
const run = (args: string[], until?: () => boolean) =>
  runCommand(process.execPath, [program, "--device", "wasm", ...args], until);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "emoji-run-"));
  await initialize({ device: "wasm" });
  // So that no run below has to decode them.
  await loadEmoji();
});
afterAll(() => rm(folder, { recursive: true }));

describe("the main job", () => {
  it("gives the same to the last digit when stopped and resumed, and what it promises to write", async () => {
    const few = [
      "--quick",
      "--methods",
      "original,naive,dcr",
      "--align-steps",
      "3",
      "--steps",
      "3",
      "--seed",
      "5",
    ];
    const [whole, stopped] = [join(folder, "whole"), join(folder, "stopped")];
    const first = await run([...few, "--out", whole]);
    expect(first.stdout).toMatch(/report:/);
    expect(first).toMatchObject({ code: 0, stderr: "" });

    const steps = join(stopped, "jobs", "dcr-seed5", "metrics.jsonl");
    const cut = await run(
      [...few, "--out", stopped],
      () => existsSync(steps) && readFileSync(steps, "utf8") !== "",
    );
    expect(cut.stderr).toMatch(/^stopped; go on with: npm start -- --resume .*stopped\n$/);
    expect(cut.code).toBe(130);
    expect(existsSync(join(stopped, "results.json"))).toBe(false);
    const resumed = await run(["--resume", stopped]);
    expect(resumed.stdout).toMatch(/report:/);

    const read = (run: string) => JSON.parse(readFileSync(join(run, "results.json"), "utf8")) as Results;
    expect(read(stopped)).toEqual(read(whole));
    const rows = async (run: string) =>
      (await readMetrics(join(run, "metrics.jsonl"))).map(({ time, ...row }) => {
        expect(time).toBeGreaterThan(0);
        return row;
      });
    expect(await rows(stopped)).toEqual(await rows(whole));
    expect((await rows(whole)).map(({ method, stage, step }) => `${method}/${stage}/${step}`)).toEqual(
      ["align-dcr/1", "align-rec/1", "dcr/2", "naive/2"].flatMap((name) =>
        [0, 1, 2].map((step) => `${name}/${step}`),
      ),
    );

    const { methods, conflict } = read(whole);
    expect(Object.keys(methods).sort()).toEqual(["dcr", "naive", "original"]);
    expect(conflict.naive?.steps).toBe(3);
    const report = readFileSync(join(whole, "report.html"), "utf8");
    expect(report).toMatch(/<svg/);
    expect(report).not.toMatch(/(src|href)="http/);

    const encoder = await CLIPModel.fromPretrained(join(whole, "jobs", "dcr-seed5", "encoder"));
    expect(encoder.config.projection_dim).toBe(64);
    encoder.dispose();
  }, 1_200_000);
});

/** The program refuses: one line that says why, and nothing written. */
async function expectRefusal(args: string[], message: RegExp): Promise<void> {
  const out = join(folder, "refused");
  const { code, stderr } = await run(["--out", out, ...args]);
  expect(stderr).toMatch(message);
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect(code).toBe(1);
  expect(existsSync(out)).toBe(false);
}

describe("bad input", () => {
  it.each([
    [["--methods", "dcr,magic"], /"magic" is none of original, rec, con, naive, dcr/],
    [["--device", "abacus"], /"abacus" is none of/],
    [["--device", "wasm,cpu"], /"wasm,cpu" is none of/],
    [["--learning-rate", "-1"], /expected a positive number/],
    [["--resume", "no-such-folder"], /no-such-folder: no such folder/],
    [["--resume", tmpdir()], /no run to resume, it has no config.json/],
    [["--out", "/dev/null/run"], /\/dev\/null\/run/],
    [["--models", "no-such-models"], /no-such-models: no such folder/],
  ])("refuses %j", expectRefusal);

  it.each<[string, (models: string) => Promise<void>, RegExp]>([
    [
      "a truncated file",
      (models) => truncate(join(models, "clip/model.safetensors"), 100_000),
      /clip\/model\.safetensors: truncated/,
    ],
    [
      "a weight missing",
      (models) =>
        changeWeights(join(models, "diffusion/unet/diffusion_pytorch_model.safetensors"), (weights) => {
          weights["conv_in.weight"].dispose();
          delete weights["conv_in.weight"];
        }),
      /diffusion: UNet2DConditionModel.* weight "conv_in\.weight" is missing/,
    ],
    [
      "a weight of a wrong shape",
      (models) =>
        changeWeights(join(models, "clip/model.safetensors"), (weights) => {
          const right = weights["visual_projection.weight"];
          weights["visual_projection.weight"] = tf.transpose(right);
          right.dispose();
        }),
      /clip: CLIPModel.* weight "visual_projection\.weight" has shape \[96,64\], expected \[64,96\]/,
    ],
    [
      "a file missing",
      (models) => rm(join(models, "diffusion/scheduler/scheduler_config.json")),
      /diffusion\/scheduler\/scheduler_config\.json/,
    ],
    [
      "an encoder of other images",
      async (models) => {
        const tower = { hidden_size: 8, intermediate_size: 8, num_hidden_layers: 1, num_attention_heads: 1 };
        const encoder = new CLIPModel({
          projection_dim: 8,
          vision_config: { ...tower, image_size: 16, patch_size: 8 },
          text_config: { ...tower, vocab_size: 10, eos_token_id: 9 },
        }).initialize(new Random(0));
        await encoder.savePretrained(join(models, "clip"));
        encoder.dispose();
      },
      /clip: expected an encoder of 32 x 32 images, got 16 x 16/,
    ],
  ])("refuses models with %s", async (_, damage, message) => {
    const models = await mkdtemp(join(folder, "models-"));
    await cp(ownModels, models, { recursive: true });
    await damage(models);
    await expectRefusal(["--models", models], message);
    await rm(models, { recursive: true });
  });

  it.skipIf(process.platform === "win32")("refuses an image that cannot be read", async () => {
    // The example as installed beside packages that are links to the real ones, but for one image.
    const example = join(folder, "example");
    const own = fileURLToPath(new URL("..", import.meta.url));
    for (const part of ["package.json", "dist", "data"]) {
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

    const out = join(folder, "unread");
    const main = join(example, "dist", "main.js");
    const { code, stderr } = await runCommand(process.execPath, [main, "--device", "wasm", "--out", out]);
    expect(stderr).toMatch(new RegExp(`^error: .*cannot decode ${join(images, broken)}: .*\n$`));
    expect(code).toBe(1);
    expect(existsSync(out)).toBe(false);
    expect(existsSync(join(example, ".cache"))).toBe(false);
  });

  it.skipIf(process.platform === "win32")(
    "names the file that a full disk cuts off, and leaves no part of it",
    async () => {
      // The shell's limit on file sizes, 8 or 16 KiB: writes fail part-way, as on a full disk, with no need to fill one.
      const out = join(folder, "full");
      const args = [
        "--device",
        "wasm",
        "--quick",
        "--methods",
        "original",
        "--align-steps",
        "1",
        "--out",
        out,
      ];
      const limited = ["-c", 'ulimit -f 16 && exec "$@"', "sh", process.execPath, program, ...args];
      const { code, stderr } = await runCommand("sh", limited);
      expect(stderr).toMatch(
        /^error: align-rec-seed0: .*projector\.safetensors: could not be written \(EFBIG.*--resume .*full\n$/,
      );
      expect(code).toBe(1);
      expect(readdirSync(join(out, "jobs", "align-rec-seed0"))).toEqual(["metrics.jsonl"]);
    },
  );
});

/** Rewrites a weights file. */
async function changeWeights(path: string, change: (weights: StateDict) => void): Promise<void> {
  const weights = await readSafetensors(path);
  change(weights);
  await writeSafetensors(path, weights);
  tf.dispose(weights);
}
