import { describe, expect, it } from "vitest";
import { defaultSettings } from "./config.js";
import { jobFiles, jobName, listJobs } from "./jobs.js";

describe("listJobs", () => {
  it("puts each seed's alignment before its methods, and the longest method first", () => {
    const jobs = listJobs({
      ...defaultSettings(true),
      methods: ["original", "con", "dcr"],
      seeds: [3, 1],
      device: "wasm",
      models: "/models",
      evaluate: "reserved",
    });
    expect(jobs.map(jobName)).toEqual(
      [3, 1].flatMap((seed) => ["align", "dcr", "con", "original"].map((kind) => `${kind}-seed${seed}`)),
    );
    expect(new Set(jobs.map((job) => jobFiles("/run", job).folder)).size).toBe(jobs.length);
  });
});
