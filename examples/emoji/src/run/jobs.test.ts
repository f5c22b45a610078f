import { describe, expect, it } from "vitest";
import { defaultSettings, type RunConfig } from "./config.js";
import { alignmentLoss, jobFiles, jobName, listJobs } from "./jobs.js";

const config: RunConfig = {
  ...defaultSettings(true),
  methods: ["original", "con", "dcr"],
  seeds: [3, 1],
  device: "wasm",
  models: "/models",
  evaluate: "reserved",
};

describe("listJobs", () => {
  it("puts each seed's alignments before its methods, and the longest method first", () => {
    const jobs = listJobs(config);
    expect(jobs.map(jobName)).toEqual(
      [3, 1].flatMap((seed) =>
        ["align-dcr", "align-rec", "dcr", "con", "original"].map((kind) => `${kind}-seed${seed}`),
      ),
    );
    expect(new Set(jobs.map((job) => jobFiles("/run", job).folder)).size).toBe(jobs.length);
  });

  it.each([
    ["own", ["dcr"], ["align-dcr"]],
    ["own", ["original", "rec"], ["align-rec"]],
    ["rec", ["original", "dcr"], ["align-rec"]],
    ["dcr", ["rec"], ["align-dcr"]],
  ] as const)("aligns by %s for %j: %j", (loss, methods, alignments) => {
    const jobs = listJobs({ ...config, align: { ...config.align, loss }, methods: [...methods], seeds: [0] });
    expect(jobs.filter(alignmentLoss).map(({ kind }) => kind)).toEqual(alignments);
  });
});
