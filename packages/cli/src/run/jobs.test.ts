import { describe, expect, it } from "vitest";
import { defaultConfig } from "../config/run-config.js";
import { jobFiles, jobName, listJobs, outputFolder } from "./jobs.js";

const names = (change: object) => listJobs({ ...defaultConfig, ...change }).map(jobName);
const own = { align: { ...defaultConfig.align, loss: "own" as const } };

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
