import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expectClose } from "@dcr-js/testing";
import { describe, expect, it } from "vitest";
import { DDIMScheduler } from "./ddim-scheduler.js";
import { DDPMScheduler } from "./ddpm-scheduler.js";
import { parseSchedulerConfig, type SchedulerConfigInput, schedulerClasses } from "./scheduler-config.js";

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../fixtures/${name}`, import.meta.url), "utf8"));
/** Every key that diffusers writes for each class, with its default. */
const keys: Record<string, Record<string, unknown>> = read("config-keys.json");
const { classes }: { classes: Record<string, number[]> } = read("scheduler-settings.json");
const parse = (config: SchedulerConfigInput) => parseSchedulerConfig(config, { file: "config.json" });

describe.each(schedulerClasses)("parseSchedulerConfig of %s", (name) => {
  it("knows every key that diffusers writes", () => {
    const parsed = parse({ _class_name: name, ...keys[name] });
    expect(Object.keys(parsed)).toEqual(expect.arrayContaining(Object.keys(keys[name])));
  });

  it("has diffusers' noise schedule where the file says nothing of it", () => {
    const { alphasCumprod } = new DDPMScheduler({ _class_name: name });
    expectClose(
      [0, 500, 999].map((t) => alphasCumprod[t]),
      classes[name],
      { relative: 2e-5 },
    );
  });
});

it("parseSchedulerConfig has DDIMScheduler's defaults", () => {
  for (const [key, value] of Object.entries(parse({})))
    expect([key, value ?? null]).toEqual([key, keys["DDIMScheduler"][key]]);
});

describe("parseSchedulerConfig", () => {
  it.each(["FlowMatchEulerDiscreteScheduler", "EDMEulerScheduler", 7])(
    "refuses the noise schedule of %s by name",
    (name) => {
      expect(() => parse({ _class_name: name, num_train_timesteps: 1000 })).toThrow(
        new RegExp(`^scheduler: config\\.json must have _class_name one of DDPMScheduler, .*got .?${name}`),
      );
    },
  );

  it.each([
    ["beta_schedule", "sigmoid"],
    ["beta_start", -1],
    ["beta_end", 1],
    ["num_train_timesteps", 1e9],
    ["num_train_timesteps", 0],
    ["prediction_type", "flow_prediction"],
    ["predict_epsilon", false],
    ["steps_offset", -1],
    ["timestep_spacing", "log"],
    ["timestep_type", "continuous"],
    ["trained_betas", [0.1, 2]],
    ["trained_betas", [0.1, 0.2]],
    ["use_flow_sigmas", true],
    ["use_dynamic_shifting", true],
    ["variance_type", "learned_range"],
    ["dynamic_thresholding_ratio", 1.1],
    ["sample_max_value", Number.NaN],
    ["a_key_of_tomorrow", 2],
  ])("refuses %s: %j by name", (key, value) => {
    expect(() => parse({ [key]: value })).toThrow(
      new RegExp(
        `^scheduler: config\\.json: (${key}|${key}\\.1:?) .*got|^scheduler: config\\.json: ${key}.*got`,
      ),
    );
    expect(() => new DDPMScheduler({ [key]: value })).toThrow(key);
    expect(() => new DDIMScheduler({ [key]: value })).toThrow(key);
  });
});

describe("fromPretrained", () => {
  it("reads the infinities that Python writes, names the file, and accepts keys by name", async () => {
    const folder = await mkdtemp(join(tmpdir(), "scheduler-"));
    const file = join(folder, "scheduler_config.json");
    try {
      await writeFile(
        file,
        '{"_class_name": "DPMSolverMultistepScheduler", "lambda_min_clipped": -Infinity, "beta_end": 0.012}',
      );
      for (const Class of [DDPMScheduler, DDIMScheduler]) {
        const { config } = await Class.fromPretrained(folder);
        expect(config["lambda_min_clipped"]).toBe(-Infinity);
        expect(config.beta_end).toBe(0.012);
      }
      await writeFile(file, '{"a_key_of_tomorrow": 2}');
      await expect(DDPMScheduler.fromPretrained(folder)).rejects.toThrow(
        `scheduler: ${file}: a_key_of_tomorrow`,
      );
      await expect(
        DDIMScheduler.fromPretrained(folder, { acceptKeys: ["a_key_of_tomorrow"] }),
      ).resolves.toBeInstanceOf(DDIMScheduler);
      await expect(DDIMScheduler.fromPretrained(folder, { variant: "fp16" } as never)).rejects.toThrow(
        'DDIMScheduler.fromPretrained: unknown option "variant"',
      );
      await rm(file);
      await expect(DDPMScheduler.fromPretrained(folder)).rejects.toThrow(file);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
