import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { appendFile, cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expectClose } from "@dcr-js/testing";
import { writeTestImages } from "@dcr-js/testing/images";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ended, fixtures, main, run } from "../../test/run-command.js";
import type { Results } from "../report/results.js";

const models = [
  ...["--encoder", join(fixtures, "models/clip"), "--diffusion", join(fixtures, "models/stable-diffusion")],
  ...["--images", join(fixtures, "pattern-images.mjs"), "--device", "wasm"],
];
const few = [
  ...["--align-steps", "3", "--steps", "4", "--batch", "3", "--align-batch", "3", "--lora-rank", "2"],
  ...["--checkpoint-steps", "2"],
];

/** Runs the command; `act` is called now and then until it returns true. */
const dcr = (args: readonly string[], act?: (child: ChildProcess) => boolean): Promise<Ended> =>
  run([process.execPath, main, ...args], { cwd: folder, ...(act && { act }) });

/** Arguments with some options set otherwise; an option may be given once. */
function over(args: readonly string[], ...changes: string[]): string[] {
  const changed = (arg: string | undefined) => arg?.startsWith("--") && changes.includes(arg);
  return [...args.filter((arg, i) => !changed(arg) && !changed(args[i - 1])), ...changes];
}

let folder: string;
const path = (...names: string[]) => join(folder, ...names);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "dcr-enhance-"));
  expect(await dcr(["enhance", ...models, ...few, "--out", "whole", "--tensorboard"])).toMatchObject({
    code: 0,
    stderr: "",
  });
}, 300_000);
afterAll(() => rm(folder, { recursive: true }));

/** Hashes of a run's outputs, without times. */
function fingerprint(run: string) {
  const hash = (name: string) =>
    createHash("sha256")
      .update(readFileSync(path(run, name)))
      .digest("hex");
  const { metricsSha256 } = JSON.parse(readFileSync(path(run, "results.json"), "utf8")) as Results;
  return [
    metricsSha256,
    ...["encoder/model.safetensors", "adapter/adapter_model.safetensors", "projector.safetensors"].map(hash),
  ];
}

/** Rows of a job's metrics so far. */
function steps(run: string, job: string): number {
  const file = path(run, "jobs", job, "metrics.jsonl");
  return existsSync(file) ? readFileSync(file, "utf8").split("\n").length - 1 : 0;
}

describe("dcr enhance", () => {
  it("writes encoder, adapter, projector, configuration, metrics and report, and nothing half-done", () => {
    expect(readdirSync(path("whole")).sort()).toEqual([
      "adapter",
      "config.yaml",
      "encoder",
      "inputs.json",
      "jobs",
      "metrics.jsonl",
      "projector.safetensors",
      "report.html",
      "results.json",
    ]);
    expect(readdirSync(path("whole/jobs/dcr-seed0")).sort()).toEqual([
      "events.out.tfevents.0.dcr",
      "metrics.jsonl",
      "result.json",
    ]);
    expect(readFileSync(path("whole/metrics.jsonl"), "utf8").trim().split("\n")).toHaveLength(7);
    const html = readFileSync(path("whole/report.html"), "utf8");
    for (const text of ["gradient norm", "cosine of the two gradients", "lora_only", "align-rec, stage 1"]) {
      expect(html).toContain(text);
    }
    // The page loads nothing.
    expect(html).not.toMatch(/<(script|link|iframe|object|use|img)\b|@import|url\(|(src|href)="/);
  });

  it("runs variants of a method side by side, and goes on with a measured temperature to the identical result", async () => {
    const late = { name: "dcr late", method: "dcr", temperature: "auto", timesteps: [300, 800] };
    const methods = ["dcr", late, "naive+pcgrad"];
    await writeFile(path("variants.yaml"), JSON.stringify({ methods }));
    const args = ["enhance", "--config", "variants.yaml", ...models, ...few];
    expect(await dcr([...args, "--out", "variants"])).toMatchObject({ code: 0, stderr: "" });
    const rows = (run: string, job: string) =>
      readFileSync(path(run, "jobs", job, "metrics.jsonl"), "utf8")
        .trim()
        .split("\n")
        .map(
          (line) => JSON.parse(line) as { method: string; losses: object; metrics: Record<string, number> },
        );
    const temperatures = (run: string) =>
      rows(run, "dcr-late-seed0").map(({ metrics }) => metrics["temperature"]!);
    for (const temperature of temperatures("variants")) expect(temperature).toBeGreaterThan(0);
    expect(rows("variants", "dcr-seed0")[0]!.metrics).not.toHaveProperty("temperature");
    expect(rows("variants", "naive+pcgrad-seed0")[0]).toMatchObject({ method: "naive+pcgrad" });
    expect(existsSync(path("variants/dcr-late-seed0/encoder/model.safetensors"))).toBe(true);

    const stop = (child: ChildProcess) => steps("half", "dcr-late-seed0") > 1 && child.kill("SIGINT");
    expect((await dcr([...args, "--out", "half"], stop)).code).toBe(130);
    expect(await dcr(["enhance", "--resume", "half"])).toMatchObject({ code: 0, stderr: "" });
    expect(temperatures("half")).toEqual(temperatures("variants"));
    const hash = (run: string) =>
      (JSON.parse(readFileSync(path(run, "results.json"), "utf8")) as Results).metricsSha256;
    expect(hash("half")).toBe(hash("variants"));
  }, 300_000);

  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "saves the step just done on %s, and goes on to the identical result",
    async (signal) => {
      const run = `stopped-${signal}`;
      const args = ["enhance", ...models, ...few, "--out", run, "--tensorboard"];
      const stopped = await dcr(args, (child) => steps(run, "dcr-seed0") > 0 && child.kill(signal));
      expect(stopped.stderr).toBe(`stopped; go on with: dcr enhance --resume ${run}\n`);
      expect(stopped.code).toBe({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }[signal]);
      expect(existsSync(path(run, "encoder"))).toBe(false);
      expect(existsSync(path(run, "jobs/dcr-seed0/checkpoint.safetensors"))).toBe(true);
      expect(await dcr(["enhance", "--resume", run])).toMatchObject({ code: 0, stderr: "" });
      expect(fingerprint(run)).toEqual(fingerprint("whole"));
    },
    300_000,
  );

  it("computes the same numbers with gradient checkpointing", async () => {
    const args = ["enhance", ...models, ...few, "--gradient-checkpointing", "--out", "checkpointed"];
    expect(await dcr(args)).toMatchObject({ code: 0, stderr: "" });
    expect(readFileSync(path("checkpointed/config.yaml"), "utf8")).toContain("gradientCheckpointing: true");
    const norms = (run: string) =>
      readFileSync(path(run, "metrics.jsonl"), "utf8")
        .trim()
        .split("\n")
        .map((line) => (JSON.parse(line) as { gradNorm: number }).gradNorm);
    // Sums of gradients in another order: float32's rounding.
    expectClose(norms("checkpointed"), norms("whole"), { relative: 1e-4 });
  }, 300_000);

  it("stops when nobody reads its output any more", async () => {
    const run = "closed-pipe";
    // Without a terminal progress is written every 15 s; the pipe's end shows at the next write.
    const stopped = await dcr(
      over(["enhance", ...models, ...few], "--steps", "100000", "--out", run),
      (child) => {
        if (steps(run, "dcr-seed0") === 0) return false;
        child.stdout!.destroy();
        return true;
      },
    );
    expect(stopped.code).toBe(141);
    expect(existsSync(path(run, "jobs/dcr-seed0/checkpoint.safetensors"))).toBe(true);
  }, 300_000);

  it("ends at once on a second Ctrl-C", async () => {
    const run = "twice";
    let first = 0;
    const args = over(["enhance", ...models, ...few], "--steps", "100000", "--batch", "16", "--out", run);
    const ended = await dcr(args, (child) => {
      if (first === 0 && existsSync(path(run, "jobs/align-rec-seed0/metrics.jsonl"))) {
        first = Date.now();
        child.kill("SIGINT");
      }
      return first > 0 && Date.now() - first > 400 && child.kill("SIGINT");
    });
    expect(ended.code).toBe(130);
    expect(readdirSync(path(run)).filter((name) => name.startsWith("lock."))).toEqual([]);
  }, 300_000);

  it("lets one process write to a run, and leaves no worker behind when the starter is killed", async () => {
    const run = "killed";
    let second: Promise<Ended> | undefined;
    let worker = 0;
    const args = over(["enhance", ...models, ...few], "--out", run, "--steps", "100000");
    const killed = await dcr(args, (child) => {
      const file = path(run, "jobs/dcr-seed0/worker.json");
      if (steps(run, "dcr-seed0") === 0) return false;
      worker = JSON.parse(readFileSync(file, "utf8")).pid;
      second ??= dcr(["enhance", "--resume", run]).then((answer) => {
        child.kill("SIGKILL");
        return answer;
      });
      return true;
    });
    expect(killed.signal).toBe("SIGKILL");
    const answer = await second!;
    expect(answer.stderr).toMatch(
      /^error: .*killed: process \d+ is writing to this run; wait for it, or stop it\n$/,
    );
    expect(answer.code).toBe(1);
    const alive = () => {
      try {
        process.kill(worker, 0);
        return !readFileSync(`/proc/${worker}/stat`, "utf8").includes(") Z ");
      } catch {
        return false;
      }
    };
    await expect.poll(alive, { timeout: 30_000 }).toBe(false);
  }, 300_000);

  it("refuses other options with --resume and names the difference", async () => {
    const refused = await dcr(["enhance", "--resume", "whole", "--steps", "5", "--batch", "3"]);
    expect(refused.stderr).toBe(
      "error: --resume: --steps is 5, and the run in whole has 4; omit it, or start another run\n",
    );
    expect(refused.code).toBe(1);
    const file = await dcr(["enhance", "--resume", "whole", "--config", "other.yaml"]);
    expect(file).toMatchObject({
      code: 1,
      stderr: "error: --config: a resumed run has its own settings, in config.yaml; omit --config\n",
    });
    expect(await dcr(["enhance", "--resume", "whole", "--steps", "4", "--device", "auto"])).toMatchObject({
      code: 0,
      stderr: "",
    });
  }, 60_000);

  it("names an encoder that was deleted, and goes on only on the kind of device that the run began on", async () => {
    await cp(path("whole"), path("elsewhere"), { recursive: true });
    await rm(path("elsewhere/encoder"), { recursive: true });
    const { stdout } = await dcr(["enhance", "--resume", "elsewhere"]);
    expect(stdout.split("\n")).toContain(
      "note:   elsewhere/encoder is not there any more; delete elsewhere/jobs/dcr-seed0 and resume to make it anew",
    );
    const settings = readFileSync(path("elsewhere/config.yaml"), "utf8");
    expect(settings).toMatch(/^device: wasm$/m);
    await writeFile(path("elsewhere/config.yaml"), settings.replace("device: wasm", "device: webgpu"));
    // No Vulkan driver, also on a machine that has one.
    const env = { VK_DRIVER_FILES: path("none"), VK_ICD_FILENAMES: path("none") };
    const { code, stderr } = await run([process.execPath, main, "enhance", "--resume", "elsewhere"], {
      cwd: folder,
      env,
    });
    // The driver's loader may have its say before it.
    expect(stderr).toMatch(/^error: --resume: the run began on webgpu: (?!requestWebGPUDevice)/m);
    expect(code).toBe(1);
    const auto = ["plan", ...over(models, "--device", "auto"), "--measure", "0"];
    const planned = await run([process.execPath, main, ...auto], { cwd: folder, env });
    expect(planned.stdout).toMatch(/^device: wasm: no GPU for WebGPU: (?!requestWebGPUDevice)/m);
  }, 60_000);

  it("tries an evaluation before anything is trained, and goes on with one that was mended", async () => {
    const evaluation = (code: string) => writeFile(path("measure.mjs"), code);
    const short = over([...models, ...few], "--align-steps", "1", "--steps", "1");
    const args = (out: string) => ["enhance", ...short, "--evaluate", "measure.mjs", "--out", out];
    await evaluation("export default () => ({ figures: { mine: { norm: 4.2 } } });");
    const refused = await dcr(args("wrong"));
    expect(refused.stderr).toMatch(/^error: --evaluate: .*measure\.mjs: figures\.mine\.norm: .*\n$/);
    expect(refused.code).toBe(1);
    expect(existsSync(path("wrong"))).toBe(false);

    // The figures of a class folder are called as the folder.
    const names = await writeTestImages(path("mine"), 6);
    expect(new Set(names.map((name) => name.split("/")[0])).size).toBeGreaterThan(1);
    await evaluation("export default () => ({ figures: { mine: { share: 0.5 } } });");
    const both = over(args("wrong"), "--evaluate", "folder:mine,measure.mjs");
    expect((await dcr(both)).stderr).toBe(
      `error: --evaluate: folder:${path("mine")} and ${path("measure.mjs")} both give figures of the group "mine"; one of them may\n`,
    );
    expect(existsSync(path("wrong"))).toBe(false);

    // What fails only later: the first call is the trial.
    await evaluation(`import { existsSync, writeFileSync } from "node:fs";
      import { readSafetensors } from ${JSON.stringify(import.meta.resolve("@dcr-js/tensor"))};
      export default async ({ projector }) => {
        const count = Object.keys(await readSafetensors(projector)).length;
        if (existsSync("tried")) throw new Error("a slip");
        writeFileSync("tried", String(count));
        return { figures: { mine: { share: 0.5 } } };
      };`);
    const failed = await dcr(args("mended"));
    expect(failed.stderr).toMatch(
      /^error: original-seed0: .*measure\.mjs: a slip; when that is mended, go on with: .* --resume mended\n$/,
    );
    expect(readFileSync(path("tried"), "utf8")).toBe("6");
    const aligned = readFileSync(path("mended/jobs/align-rec-seed0/metrics.jsonl"), "utf8");
    await evaluation("export default () => ({ figures: { mine: { share: 0.25 } } });");
    expect(await dcr(["enhance", "--resume", "mended"])).toMatchObject({ code: 0, stderr: "" });
    expect(readFileSync(path("mended/jobs/align-rec-seed0/metrics.jsonl"), "utf8")).toBe(aligned);

    // A result that was made with the module of before is not mixed with others.
    await rm(path("mended/jobs/dcr-seed0/result.json"));
    await evaluation("export default () => ({ figures: { mine: { share: 0.75 } } });");
    const mixed = await dcr(["enhance", "--resume", "mended"]);
    const result = path("mended/jobs/original-seed0/result.json");
    expect(mixed.stderr).toBe(
      `error: --evaluate: ${path("measure.mjs")} has other contents than when ${result} was made; put those back, or delete ${result} to make it anew, or start another run\n`,
    );
  }, 300_000);

  it("fails where somebody else stops a worker, and names a checkpoint that was damaged, and rows that are gone", async () => {
    const run = "damaged";
    const module = `export { default } from ${JSON.stringify(join(fixtures, "pattern-images.mjs"))}; console.log("waves begin");`;
    await writeFile(path("printing.mjs"), module);
    const args = over(["enhance", ...models, ...few], "--images", "printing.mjs", "--out", run);
    const failed = await dcr(args, () => {
      if (steps(run, "dcr-seed0") < 2) return false;
      const { pid } = JSON.parse(readFileSync(path(run, "jobs/dcr-seed0/worker.json"), "utf8"));
      return process.kill(pid, "SIGTERM");
    });
    expect(failed.stderr).toMatch(
      /^error: dcr-seed0: its process was told to stop, and not by this one; .* --resume damaged\n$/,
    );
    expect(failed.code).toBe(1);
    for (const job of ["align-rec-seed0", "dcr-seed0"]) {
      expect(failed.stdout.split("\n")).toContain(`${job}: waves begin`);
    }
    await cp(path(run), path("rowless"), { recursive: true });
    const checkpoint = "jobs/dcr-seed0/checkpoint.safetensors";
    await appendFile(path(run, checkpoint), "x");
    const damaged = await dcr(["enhance", "--resume", run]);
    expect(damaged.stderr).toMatch(/checkpoint\.safetensors: the checkpoint is damaged; delete this file/);
    expect(damaged.code).toBe(1);
    await rm(path(run, checkpoint));
    expect(await dcr(["enhance", "--resume", run])).toMatchObject({ code: 0 });
    await writeFile(path("rowless", "jobs/dcr-seed0/metrics.jsonl"), "");
    const rowless = await dcr(["enhance", "--resume", "rowless"]);
    expect(rowless.stderr).toMatch(/metrics\.jsonl: the row of step 0 is missing/);
  }, 300_000);
});

describe("bad input", () => {
  /** One line on standard error, exit code 1, and no folder. */
  async function expectRefusal(args: string[], message: RegExp): Promise<void> {
    const { code, stderr } = await dcr(["enhance", "--out", "refused", ...args]);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(code).toBe(1);
    expect(existsSync(path("refused"))).toBe(false);
  }

  it.each<[string[], RegExp]>([
    [[], /^error: --encoder: missing; --diffusion: missing; --images: missing$/m],
    [
      ["--out", ""],
      /option '--out <folder>' argument '' is invalid\. Expected a value, got an empty string; is a variable unset\?/,
    ],
    [["--seeds", "1,,2"], /Expected values between the commas, got "1,,2"/],
    [
      [...models, "--methods", "dcr,magic"],
      /^error: --methods: no method "magic"; methods are original, rec, con, naive, dcr, /m,
    ],
    [[...models, "--learning-rate", "-1"], /^error: --learning-rate: .*, got -1$/m],
    [[...models, "--stpes", "1"], /^error: unknown option '--stpes' \(Did you mean --steps\?\)$/m],
    [[...models, "--preset", "openai"], /Expected one of openai-l14-224, /],
    [[...models, "--config", "none.yaml"], /^error: .*none\.yaml: no such file$/m],
    [over(models, "--encoder", "./none"), /none/],
    [over(models, "--diffusion", "./none"), /none/],
    [over(models, "--images", "./none"), /none does not exist/],
    [[...models, "--evaluate", "mmvp:none"], /^error: --evaluate mmvp:.*none: no such folder$/m],
    [[...models, "--batch", "41"], /batch/],
    [
      [...models, "--timesteps", "10,2000"],
      /^error: --timesteps: the end must be at most 1000, .*, got 2000$/m,
    ],
    [
      [...models, "--methods", "con", "--temperature", "auto"],
      /^error: --temperature: auto is measured on the denoiser's predictions, and con contrasts features/m,
    ],
    [
      [...models, "--storage", "float16"],
      /^error: --storage: float16 needs WebGPU .*, and this run is on wasm; /m,
    ],
    [[...models, "--latent-cache", "--strict"], /got the option "--strict"; is a variable unset\?/],
    [[...models, "--jobs", "0"], /^error: --jobs: expected at least 1, got 0$/m],
    [
      [...models, "--methods", "original"],
      /original trains nothing, and without --evaluate nothing is measured/,
    ],
  ])("refuses %#", expectRefusal, 60_000);

  it.each([
    [
      "a truncated file",
      "stable-diffusion/unet/diffusion_pytorch_model.safetensors",
      "x",
      /unet\/diffusion_pytorch_model\.safetensors: truncated/,
    ],
    ["settings that are no JSON", "clip/config.json", "{", /clip\/config\.json is not valid JSON/],
    [
      "settings of another width",
      "stable-diffusion/text_encoder/config.json",
      undefined,
      /text_encoder gives vectors of 64, and unet attends to vectors of 32/,
    ],
  ])(
    "refuses models with %s before anything is trained",
    async (_, file, contents, message) => {
      const damaged = await mkdtemp(path("models-"));
      await cp(join(fixtures, "models"), damaged, { recursive: true });
      const wider = () =>
        readFileSync(join(damaged, file), "utf8").replace('"hidden_size": 32', '"hidden_size": 64');
      await writeFile(join(damaged, file), contents ?? wider());
      const own = ["--encoder", join(damaged, "clip"), "--diffusion", join(damaged, "stable-diffusion")];
      await expectRefusal(over(models, ...own), message);
    },
    60_000,
  );

  it.skipIf(process.platform === "win32")(
    "names the file that a full disk cuts off, and leaves no part of it",
    async () => {
      // The shell's limit on file sizes, 10 or 20 KiB: writes fail part-way, as on a full disk, with no need to fill one.
      const args = ["enhance", ...models, ...few, "--out", "full-disk"];
      const limited = ["-c", 'ulimit -f 20 && exec "$@"', "sh", process.execPath, main, ...args];
      const ended = await run(["sh", ...limited], { cwd: folder });
      expect(ended.stderr).toMatch(
        /^error: align-rec-seed0: .*checkpoint\.safetensors: could not be written \(EFBIG.*--resume full-disk\n$/,
      );
      expect(ended.code).toBe(1);
      const left = readdirSync(path("full-disk"), { recursive: true }) as string[];
      expect(left.filter((name) => /\.tmp|safetensors|lock\./.test(name))).toEqual([]);
    },
    60_000,
  );

  it("names a finished job that lacks rows", async () => {
    await cp(path("whole"), path("short"), { recursive: true });
    const metrics = path("short/jobs/dcr-seed0/metrics.jsonl");
    await writeFile(metrics, `${readFileSync(metrics, "utf8").split("\n").slice(0, 3).join("\n")}\n`);
    const message = `${metrics}: the row of step 3 is missing, and the job took 4; delete ${path("short/jobs/dcr-seed0")} to make the job anew\n`;
    for (const args of [
      ["report", "short"],
      ["enhance", "--resume", "short"],
    ]) {
      expect(await dcr(args)).toMatchObject({ code: 1, stderr: `error: ${message}` });
    }
  }, 60_000);

  it("refuses a folder that holds something else, or a run", async () => {
    await mkdir(path("full"));
    await writeFile(path("full", "thesis.tex"), "");
    const full = await dcr(["enhance", ...models, "--out", "full"]);
    expect(full.stderr).toMatch(/--out: .*full is not empty, it holds thesis\.tex/);
    expect(readdirSync(path("full"))).toEqual(["thesis.tex"]);
    const again = await dcr(["enhance", ...models, "--out", "whole"]);
    expect(again.stderr).toMatch(/--out: .*whole holds a run already; go on with it by --resume/);
    const evaluated = await dcr(["evaluate", "--encoder", "owner/none", "--on", "x.mjs", "--out", "whole"]);
    expect(evaluated.stderr).toMatch(
      /^error: --out: .*whole is a run's folder, whose results would be overwritten; /,
    );
  }, 60_000);
});
