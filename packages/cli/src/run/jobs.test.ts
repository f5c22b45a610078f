import { describe, expect, it } from "vitest";
import { defaultConfig, type RunConfig } from "../config/run-config.js";
import { alignmentJob, jobFiles, jobName, listJobs, outputFolder } from "./jobs.js";

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
      "align-late-seed0",
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
      "align-naive pcgrad",
      "align-naive pcgrad",
      "align-late",
      "align-late anchor",
      undefined,
    ]);
  });

  it("aligns nothing end to end", () => {
    expect(names({ endToEnd: true })).toEqual(["dcr-seed0"]);
  });
});

it("outputFolder is the run's own for one method and one seed", () => {
  const job = { kind: "method", method: "dcr", seed: 0 } as const;
  expect(outputFolder("run", job, { methods: ["original", "dcr"], seeds: [0] })).toBe("run");
  expect(outputFolder("run", job, { methods: ["rec", "dcr"], seeds: [0] })).toBe("run/dcr-seed0");
  expect(outputFolder("run", job, { methods: ["dcr"], seeds: [0, 1] })).toBe("run/dcr-seed0");
  expect(jobFiles("run", job).checkpoint).toBe("run/jobs/dcr-seed0/checkpoint.safetensors");
});
