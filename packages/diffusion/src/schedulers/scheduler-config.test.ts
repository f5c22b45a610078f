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

  // Keys of other samplers of the noise schedule, which change neither it nor the target.
  it.each([
    "algorithm_type",
    "disable_corrector",
    "euler_at_final",
    "final_sigmas_type",
    "flow_shift",
    "interpolation_type",
    "lambda_min_clipped",
    "lower_order_final",
    "original_inference_steps",
    "predict_x0",
    "sigma_max",
    "sigma_min",
    "skip_prk_steps",
    "solver_order",
    "solver_p",
    "solver_type",
    "tensor_format",
    "time_shift_type",
    "timestep_scaling",
    "use_beta_sigmas",
    "use_exponential_sigmas",
    "use_karras_sigmas",
    "use_lu_lambdas",
  ])("takes %s, whatever it says", (key) => {
    expect(parse({ [key]: "set" })).toHaveProperty(key, "set");
  });

  it.each<[string, unknown[], unknown[]]>([
    ["predict_epsilon", [true], [false]],
    ["shift_terminal", [null], [0.1]],
    ["timestep_type", ["discrete"], ["continuous", null]],
    ["use_dynamic_shifting", [false], [true]],
    ["use_flow_sigmas", [false], [true]],
    [
      "variance_type",
      [null, "fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log"],
      ["learned", "learned_range"],
    ],
    ["num_train_timesteps", [1, 100_000], [0, 100_001, 10.5]],
    ["beta_start", [1e-9, 0.999], [0, 1, -0.1]],
    ["beta_end", [1e-9, 0.999], [0, 1, -0.1]],
    ["beta_schedule", ["linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid"], ["laplace", null]],
    ["prediction_type", ["epsilon", "v_prediction", "sample"], ["flow", null]],
    ["clip_sample_range", [1e-9, 10], [0, -1, Number.POSITIVE_INFINITY]],
    ["dynamic_thresholding_ratio", [0, 1], [-0.001, 1.001]],
    ["sample_max_value", [1e-9, 10], [0, -1]],
    ["steps_offset", [0, 100_000], [-1, 100_001, 0.5]],
    ["timestep_spacing", ["leading", "trailing", "linspace"], ["log", null]],
    ["rescale_betas_zero_snr", [true, false], [null, 1]],
    ["clip_sample", [true, false], [null, 1]],
    ["thresholding", [true, false], [null, 1]],
    ["set_alpha_to_one", [true, false], [null, 1]],
    ["trained_betas", [null, undefined], [[], [0.1], "0.1"]],
  ])("takes %s only within its bounds", (key, inside, outside) => {
    for (const value of inside)
      expect(parse({ [key]: value })[key] ?? null, String(value)).toEqual(value ?? null);
    for (const value of outside)
      expect(() => parse({ [key]: value }), String(value)).toThrow(`scheduler: config.json: ${key}`);
  });

  it("takes as many trained betas as timesteps, each above 0 and at most 1", () => {
    const betas = (trained_betas: number[]) => parse({ num_train_timesteps: 2, trained_betas });
    expect(betas([1e-9, 1]).trained_betas).toEqual([1e-9, 1]);
    for (const wrong of [[0, 0.5], [0.5, 1.001], [0.5], [0.1, 0.2, 0.3]])
      expect(() => betas(wrong), String(wrong)).toThrow("trained_betas");
  });

  it("names no file where the configuration is from none", () => {
    expect(() => parseSchedulerConfig({ _class_name: "EDMEulerScheduler" })).toThrow(
      /^scheduler: config must have _class_name one of DDPMScheduler, /,
    );
  });

  it("knows its options by name", () => {
    for (const Scheduler of [DDPMScheduler, DDIMScheduler]) {
      expect(() => new Scheduler({}, { acceptKey: ["x"] } as never)).toThrow('unknown option "acceptKey"');
    }
  });

  it("names what is no configuration, and keeps a class's own defaults where a key is undefined", () => {
    for (const wrong of [null, 3, "config", []])
      expect(() => parseSchedulerConfig(wrong)).toThrow(/^scheduler: /);
    expect(parse({ _class_name: "LCMScheduler", beta_start: undefined }).beta_start).toBe(0.00085);
    expect(parse({ beta_start: undefined }).beta_start).toBe(0.0001);
  });

  it.each([
    ["beta_schedule", "laplace"],
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
