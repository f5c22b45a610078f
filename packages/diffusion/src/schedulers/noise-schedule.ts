import { parseConfig, readModelJson } from "@dcr-js/tensor";
import { z } from "zod";

const schema = z.looseObject({
  num_train_timesteps: z.int().positive().default(1000),
  beta_start: z.number().positive().default(0.0001),
  beta_end: z.number().positive().default(0.02),
  beta_schedule: z.enum(["linear", "scaled_linear", "squaredcos_cap_v2"]).default("linear"),
  trained_betas: z.null().optional(),
  prediction_type: z.enum(["epsilon", "v_prediction", "sample"]).default("epsilon"),
  clip_sample: z.boolean().default(true),
  clip_sample_range: z.number().positive().default(1),
  set_alpha_to_one: z.boolean().default(true),
  steps_offset: z.int().nonnegative().default(0),
  rescale_betas_zero_snr: z.literal(false).default(false),
});

/** Settings of a scheduler; names and defaults of diffusers' `DDIMScheduler`. Other keys are kept. */
export type SchedulerConfig = z.infer<typeof schema>;
/** Settings as a user may give them: what is left out has diffusers' defaults. */
export type SchedulerConfigInput = z.input<typeof schema>;

/** Checks a configuration and fills in defaults. @throws naming every field that is not supported. */
export function parseSchedulerConfig(config: unknown): SchedulerConfig {
  return parseConfig("scheduler", schema, config);
}

/** Reads `scheduler_config.json`. */
export async function readSchedulerConfig(folder: string): Promise<SchedulerConfig> {
  return parseSchedulerConfig(await readModelJson(folder, "scheduler_config.json", "scheduler"));
}

/** `abar_t = prod_{s <= t} (1 - beta_s)` for t = 0..T-1 (Ho et al. 2020, eq. 4), accumulated in float64. */
export function alphasCumprod(config: SchedulerConfig): Float64Array {
  const { num_train_timesteps: count, beta_start: start, beta_end: end, beta_schedule } = config;
  const at = (i: number) => (count === 1 ? 0 : i / (count - 1));
  const cosine = (t: number) => Math.cos(((t + 0.008) / 1.008) * (Math.PI / 2)) ** 2;
  const beta = {
    linear: (i: number) => start + (end - start) * at(i),
    scaled_linear: (i: number) => (Math.sqrt(start) + (Math.sqrt(end) - Math.sqrt(start)) * at(i)) ** 2,
    squaredcos_cap_v2: (i: number) => Math.min(1 - cosine((i + 1) / count) / cosine(i / count), 0.999),
  }[beta_schedule];
  let product = 1;
  return Float64Array.from({ length: count }, (_, i) => {
    product *= 1 - beta(i);
    return product;
  });
}
