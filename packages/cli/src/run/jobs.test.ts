import { describe, expect, it } from "vitest";
import { settingsOf } from "../config/methods.js";
import { defaultConfig, type RunConfig } from "../config/run-config.js";
import { alignmentJob, checkJobNames, jobFiles, jobName, listJobs, outputFolder } from "./jobs.js";

const base: RunConfig = { ...defaultConfig, encoder: "clip", diffusion: "sd", images: "photos" };
const names = (change: Partial<RunConfig>) => listJobs({ ...base, ...change }).map(jobName);
const own = { align: { ...base.align, loss: "own" as const } };

describe("listJobs", () => {
  it("aligns once for methods that share a loss and a seed", () => {
    expect(names({ methods: ["rec", "dcr"], seeds: [0, 3] })).toEqual([
      "align-rec-seed0",
      "rec-seed0",
      "dcr-seed0",
      "align-rec-seed3",
      "rec-seed3",
      "dcr-seed3",
    ]);
    expect(names({ ...own, methods: ["rec", "dcr", "./my-loss.mjs"] })).toEqual([
      "align-rec-seed0",
      "align-dcr-seed0",
      "rec-seed0",
      "dcr-seed0",
      "my-loss-seed0",
    ]);
  });

  it("evaluates the encoder as it was, where anything is evaluated", () => {
    expect(names({ evaluate: ["folder:x"] })).toEqual(["align-rec-seed0", "original-seed0", "dcr-seed0"]);
    expect(names({ evaluate: ["folder:x"], methods: ["original"] })).toEqual(["original-seed0"]);
  });

  it("aligns for a variant what others do not align, and shares the rest", () => {
    const variants: RunConfig["methods"] = [
      { name: "naive pcgrad", method: "naive", aggregator: "pcgrad" },
      { name: "late", method: "dcr", timesteps: [300, 800] },
      { name: "late anchor", method: "dcr", timesteps: [300, 800], gradient: "anchor" },
      { name: "one stage", method: "dcr", endToEnd: true },
    ];
    expect(names({ methods: ["naive", ...variants] })).toEqual([
      "align-rec-seed0",
      "align-rec-late-seed0",
      "naive-seed0",
      "naive-pcgrad-seed0",
      "late-seed0",
      "late-anchor-seed0",
      "one-stage-seed0",
    ]);
    // Aligned by the DCR loss, its gradient matters to an alignment too.
    const config = { ...base, ...own, methods: ["original", ...variants] };
    const of = (method: RunConfig["methods"][number]) =>
      alignmentJob({ kind: "method", method, seed: 1 }, config)?.label;
    expect(config.methods.map(of)).toEqual([
      "align-rec-naive pcgrad",
      "align-rec-naive pcgrad",
      "align-dcr-late",
      "align-dcr-late anchor",
      undefined,
    ]);
  });

  it("tells a variant's alignment from the run's own, whatever the variant is called", () => {
    const config = {
      ...base,
      methods: [{ name: "rec", method: "rec", align: { steps: 20_000 } }, "naive"],
    } satisfies RunConfig;
    expect(listJobs(config).map(jobName)).toEqual([
      "align-rec-rec-seed0",
      "align-rec-seed0",
      "rec-seed0",
      "naive-seed0",
    ]);
    const steps = (i: number) => {
      const first = alignmentJob({ kind: "method", method: config.methods[i]!, seed: 0 }, config)!;
      return settingsOf(first.method, config).align.steps;
    };
    expect([steps(0), steps(1)]).toEqual([20_000, 100_000]);
  });

  it("aligns for con alone only where an evaluation may look at the projector", () => {
    const late = { name: "con late", method: "con", temperature: 0.5 };
    expect(names({ methods: ["con", late] })).toEqual(["con-seed0", "con-late-seed0"]);
    expect(names({ methods: ["con", "rec"] })).toEqual(["align-rec-seed0", "con-seed0", "rec-seed0"]);
    const config = { ...base, methods: ["con" as const, "rec" as const] };
    expect(alignmentJob({ kind: "method", method: "con", seed: 0 }, config)).toBeUndefined();
    expect(names({ methods: ["con"], evaluate: ["folder:x"] })).toEqual([
      "align-rec-seed0",
      "original-seed0",
      "con-seed0",
    ]);
  });

  it("aligns nothing end to end", () => {
    expect(names({ endToEnd: true })).toEqual(["dcr-seed0"]);
  });
});

describe("checkJobNames", () => {
  const check = (methods: RunConfig["methods"], change: Partial<RunConfig> = {}) =>
    checkJobNames({ ...base, ...change, methods });
  const named = (name: string) => ({ name, method: "dcr", temperature: "auto" as const });

  it.each<[RunConfig["methods"], string]>([
    [[named("a b"), named("a-b")], "the method a b and the method a-b"],
    [["/x/mine.mjs", "/y/mine.js"], "the method mine and the method mine"],
    // One folder on macOS and Windows.
    [[named("late"), named("Late")], "the method late and the method Late"],
    [["rec", "/x/align-rec.mjs"], "the alignment align-rec and the method align-rec"],
    [["rec", named("align-rec")], "the alignment align-rec and the method align-rec"],
    [
      [{ name: "x", method: "dcr", align: { steps: 3 } }, named("align-rec-x")],
      "the alignment align-rec-x and the method align-rec-x",
    ],
  ])("refuses %j", (methods, which) => {
    expect(() => check(methods)).toThrow(
      `--methods: ${which} would write the same files; give one of them another name`,
    );
  });

  it("refuses a module that would pass for a method of ours", () => {
    expect(() => check(["dcr", "/x/original.mjs"], { evaluate: ["folder:x"] })).toThrow(
      "--methods: /x/original.mjs: original is another method's name; rename the file",
    );
    expect(() => check(["original", "rec", named("rec late"), "/x/mine.mjs"])).not.toThrow();
  });
});

it("outputFolder is the run's own for one method and one seed", () => {
  const job = { kind: "method", method: "dcr", seed: 0 } as const;
  expect(outputFolder("run", job, { methods: ["original", "dcr"], seeds: [0] })).toBe("run");
  expect(outputFolder("run", job, { methods: ["rec", "dcr"], seeds: [0] })).toBe("run/dcr-seed0");
  expect(outputFolder("run", job, { methods: ["dcr"], seeds: [0, 1] })).toBe("run/dcr-seed0");
  expect(jobFiles("run", job).checkpoint).toBe("run/jobs/dcr-seed0/checkpoint.safetensors");
});
