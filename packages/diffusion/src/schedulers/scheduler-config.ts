import {
  type ConfigFormat,
  type ConfigOptions,
  parseConfig,
  readModelJson,
  timestepCount,
} from "@dcr-js/tensor";
import { z } from "zod";
import { checkClass } from "../model-folder.js";
import { checkOptions } from "../shared/check-options.js";

const schema = z
  .object({
    num_train_timesteps: timestepCount.default(1000),
    beta_start: z.number().positive().lt(1).default(0.0001),
    beta_end: z.number().positive().lt(1).default(0.02),
    beta_schedule: z.enum(["linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid"]).default("linear"),
    trained_betas: z.array(z.number().positive().max(1)).nullish(),
    rescale_betas_zero_snr: z.boolean().default(false),
    prediction_type: z.enum(["epsilon", "v_prediction", "sample"]).default("epsilon"),
    clip_sample: z.boolean().default(true),
    clip_sample_range: z.number().positive().default(1),
    thresholding: z.boolean().default(false),
    dynamic_thresholding_ratio: z.number().min(0).max(1).default(0.995),
    sample_max_value: z.number().positive().default(1),
    set_alpha_to_one: z.boolean().default(true),
    steps_offset: z.int().min(0).max(100_000).default(0),
    timestep_spacing: z.enum(["leading", "trailing", "linspace"]).default("leading"),
  })
  .check((context) => {
    const { num_train_timesteps: count, trained_betas: betas } = context.value;
    if (betas && betas.length !== count) {
      context.issues.push({
        code: "custom",
        message: `trained_betas must have num_train_timesteps entries, got ${betas.length} and ${count}`,
        input: context.value,
      });
    }
  });

const format = {
  name: "scheduler",
  schema,
  /** Keys of other samplers of the same noise schedule. */
  harmless: [
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
    // Early versions of diffusers wrote it.
    "tensor_format",
    "time_shift_type",
    "timestep_scaling",
    "use_beta_sigmas",
    "use_exponential_sigmas",
    "use_karras_sigmas",
    "use_lu_lambdas",
  ],
  neutral: {
    // Early versions of diffusers wrote it in place of prediction_type.
    predict_epsilon: [true],
    shift_terminal: [null],
    timestep_type: ["discrete"],
    use_dynamic_shifting: [false],
    use_flow_sigmas: [false],
    // A model with a learned variance predicts twice the channels.
    variance_type: [null, "fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log"],
  },
} satisfies ConfigFormat<typeof schema>;

/** Keys that do not change the result are kept as they came. */
type OtherKeys = { [key: string]: unknown };
/** Settings of a scheduler; names and defaults of diffusers' `DDPMScheduler` and `DDIMScheduler`. */
export type SchedulerConfig = z.output<typeof schema> & OtherKeys;
/** Settings as a user may give them: absent ones have diffusers' defaults. */
export type SchedulerConfigInput = z.input<typeof schema> & OtherKeys;

/** diffusers' samplers of a model that was trained with DDPM's noise schedule, each with its own defaults of that schedule. */
const classes: Record<string, SchedulerConfigInput> = {
  DDPMScheduler: {},
  DDIMScheduler: {},
  DDIMInverseScheduler: {},
  DDIMParallelScheduler: {},
  DDPMParallelScheduler: {},
  DEISMultistepScheduler: {},
  DPMSolverMultistepScheduler: {},
  DPMSolverSinglestepScheduler: {},
  EulerAncestralDiscreteScheduler: {},
  EulerDiscreteScheduler: {},
  HeunDiscreteScheduler: { beta_start: 0.00085, beta_end: 0.012 },
  KDPM2AncestralDiscreteScheduler: { beta_start: 0.00085, beta_end: 0.012 },
  KDPM2DiscreteScheduler: { beta_start: 0.00085, beta_end: 0.012 },
  LCMScheduler: { beta_start: 0.00085, beta_end: 0.012, beta_schedule: "scaled_linear" },
  LMSDiscreteScheduler: {},
  PNDMScheduler: {},
  TCDScheduler: { beta_start: 0.00085, beta_end: 0.012, beta_schedule: "scaled_linear" },
  UniPCMultistepScheduler: {},
};

/** The classes of `scheduler_config.json` that are read. */
export const schedulerClasses: readonly string[] = Object.keys(classes);

/**
 * Checks a configuration and fills in defaults: those of the class that `_class_name` names as far as they concern the noise
 * schedule, and `DDIMScheduler`'s for sampling.
 *
 * @throws naming the class where its noise schedule is not DDPM's, and every key that is unknown, unsupported or out of range
 */
export function parseSchedulerConfig(config: unknown, options: ConfigOptions = {}): SchedulerConfig {
  const isObject = typeof config === "object" && config !== null && !Array.isArray(config);
  const given = isObject ? (config as SchedulerConfigInput) : {};
  const name = given["_class_name"];
  checkClass("scheduler", options.file ?? "config", name, schedulerClasses);
  const present = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const own = name === undefined ? {} : classes[name as string];
  return parseConfig(format, isObject ? { ...own, ...present } : config, options);
}

/** How a scheduler is read from its folder. */
export interface SchedulerOptions {
  /** Unknown keys of the configuration that may be ignored, by name. Default none: each is an error. */
  acceptKeys?: readonly string[];
}

/** Reads `scheduler_config.json` of a diffusers folder's `scheduler`, and says how to parse it. */
export async function readSchedulerConfig(
  caller: string,
  folder: string,
  options: SchedulerOptions = {},
): Promise<{ config: SchedulerConfigInput; how: ConfigOptions }> {
  const { acceptKeys } = checkOptions<SchedulerOptions>(caller, options, { acceptKeys: true });
  const config = await readModelJson(folder, "scheduler_config.json", caller);
  return { config, how: { file: `${folder}/scheduler_config.json`, acceptKeys } };
}
