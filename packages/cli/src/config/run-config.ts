import { createHash } from "node:crypto";
import { type DeviceChoice, deviceChoices } from "@dcr-js/tensor";
import { z } from "zod";
import { shown } from "../shared/shown.js";

/** The paper's comparison (Han et al. 2026, section 5). A method may also be the path of a module, see the README. */
export const methodNames = ["original", "rec", "con", "naive", "dcr"] as const;

/** The losses that a projector is aligned by; `own` is `dcr` for the method `dcr` and `rec` for the others. */
export const alignmentChoices = ["rec", "dcr", "own"] as const;
export type AlignmentLoss = "rec" | "dcr";

/**
 * The aggregators that two losses suffice for and that weigh whole gradients: the functions of `@dcr-js/gradient-conflict`, and `sum`, which is
 * `weightedSum`.
 */
export const aggregatorNames = [
  "sum",
  "random-weighting",
  "uncertainty-weighting",
  "dwa",
  "grad-norm",
  "imtl-l",
  "famo",
  "stch",
  "pcgrad",
  "grad-vac",
  "cagrad",
  "mgda",
  "imtl-g",
  "nash-mtl",
  "upgrad",
  "dual-proj",
  "aligned-mtl",
  "con-fig",
  "fair-grad",
  "sdm-grad",
] as const;

/** How a learning rate goes on after its warm-up. */
export const schedules = ["constant", "cosine"] as const;

/** Of `addLoRA`. */
const largestRank = 65_536;

const text = z.string().nonempty("must not be empty");
const positive = z.number().positive();

const stageSchema = z.strictObject({
  steps: z.int().positive(),
  /** Images in a batch; losses that contrast images need two. */
  batch: z.int().positive(),
  /** Batches to a step. */
  accumulation: z.int().positive(),
  /** AdamW moves each weight by about this much: above 1 it is a slip, such as 1e5 for 1e-5. */
  learningRate: positive.max(1),
  warmupSteps: z.int().nonnegative(),
  /** The learning rate after the warm-up: constant, or half a cosine down to 0 at the end. */
  schedule: z.enum(schedules),
  weightDecay: z.number().nonnegative(),
  /** Global norm that gradients are clipped to. */
  maxGradNorm: positive,
});

/** Two jobs of one name would write the same files. */
const once = <T>(values: readonly T[]) => new Set(values).size === values.length;

const twice = {
  error: ({ input }: { input?: unknown }): string => {
    const values = input as readonly unknown[];
    return `${shown(values.find((value, i) => values.indexOf(value) < i))} is given twice`;
  },
};

const temperatureError = 'must be a number above 0, or "auto"';

/** The settings that one run may have several of, each method its own. */
const methodSettings = z.strictObject({
  /** Whether the projector is trained together with the encoder in one stage; stage 1 is left out then. */
  endToEnd: z.boolean(),
  /** Stage 1, projector alignment. */
  align: stageSchema.extend({ loss: z.enum(alignmentChoices) }),
  /** Stage 2, encoder enhancement. */
  enhance: stageSchema,
  lora: z.strictObject({
    rank: z.int().positive().max(largestRank),
    alpha: positive,
    dropout: z.number().min(0).lt(1),
    bias: z.enum(["none", "all", "lora_only"]),
    /** The layers that are adapted, as peft's `target_modules`: names, `all-linear`, or a regular expression of the whole path. */
    targetModules: z.union([text, z.array(text).nonempty()], {
      error: "must be a list of names, all-linear, or a regular expression",
    }),
  }),
  /** The contrastive losses' temperature; `auto`, for the DCR loss alone, measures it. */
  temperature: z.union([z.number().positive(temperatureError), z.literal("auto")], {
    error: temperatureError,
  }),
  /** Timesteps of the noise are drawn from `[first, end)`; null takes all of the scheduler's. */
  timesteps: z
    .tuple([z.int().nonnegative(), z.int().positive()])
    .refine(([first, end]) => first < end, "the first must be below the end")
    .nullable(),
  /** The ground-truth positive: the scheduler's prediction target, or always the velocity. */
  target: z.enum(["scheduler", "velocity"]),
  positives: z
    .array(z.enum(["augmented", "target"]))
    .nonempty()
    .refine(once, twice),
  /** Through which predictions the gradient of the DCR loss flows. */
  gradient: z.enum(["all", "anchor", "anchor-and-positive"]),
  /** Share of the encoder's local tokens that condition the denoiser beside the class token. */
  localTokens: z.number().min(0).max(1),
  /** Whether every step records how the losses' gradients compare (norms, cosines); costs a backward pass of the encoder for each loss. */
  conflict: z.boolean(),
  /** Weights of the two losses of `naive`. */
  naive: z.strictObject({ lambdaCon: z.number().nonnegative(), lambdaRec: z.number().nonnegative() }),
  /** Makes one gradient of the losses' gradients. */
  aggregator: z.enum(aggregatorNames),
  /** The augmented view. */
  augment: z.strictObject({
    colorJitter: z.number().min(0).max(1),
    hue: z.number().min(0).max(0.5),
    horizontalFlip: z.number().min(0).max(1),
    verticalFlip: z.number().min(0).max(1),
  }),
});

/** A setting that methods of one run may have each its own, such as `enhance`. */
export type MethodSetting = keyof z.infer<typeof methodSettings>;

export const isMethodSetting = (key: string): key is MethodSetting => key in methodSettings.shape;

/** A method with settings of its own over the run's, under another name or its own. */
const variantSchema = methodSettings
  .extend({
    align: methodSettings.shape.align.partial(),
    enhance: stageSchema.partial(),
    lora: methodSettings.shape.lora.partial(),
    naive: methodSettings.shape.naive.partial(),
    augment: methodSettings.shape.augment.partial(),
  })
  .partial()
  .extend({
    name: z.string().regex(/^\w[\w .+-]*$/, "must be letters, digits, spaces and . + - _, as it names files"),
    method: text.refine((method) => method !== "original", "original trains nothing, and has no settings"),
  })
  .refine(({ name, method }) => name === method || !(methodNames as readonly string[]).includes(name), {
    path: ["name"],
    error: "is another method's name",
  });

const methodSchema = z.union([text, variantSchema], {
  error: "must be a method's name, the path of a module, or { name, method } with settings",
});

/** A method of a run: a name, the path of a module, or a variant of one. */
export type Method = z.infer<typeof methodSchema>;

export const runConfigSchema = methodSettings.extend({
  /** A Hugging Face folder or hub id of a CLIP or SigLIP model. */
  encoder: text,
  /** A diffusers folder or hub id. */
  diffusion: text,
  /** Branch, tag or commit of the encoder's hub id; left out, main. */
  encoderRevision: text.optional(),
  /** Branch, tag or commit of the diffusion model's hub id; left out, main. */
  diffusionRevision: text.optional(),
  /** Which files of the diffusion model are taken: null, or `fp16` for `*.fp16.safetensors`. */
  variant: text.nullable(),
  /** A folder, tar shards, a list file, or a module that makes a source. */
  images: text,
  /** Whether one broken image stops the run. */
  strict: z.boolean(),
  methods: z.array(methodSchema).nonempty().refine(once, twice),
  seeds: z.array(z.int().nonnegative()).nonempty().refine(once, twice),
  device: z.enum(deviceChoices as readonly [DeviceChoice, ...DeviceChoice[]]),
  /** How frozen weights are stored. */
  storage: z.enum(["float32", "float16"]),
  memory: z.strictObject({
    /** Predictions that a gradient holds at once; null takes what fits. */
    chunk: z.int().positive().nullable(),
    /** Images that the encoder's gradient holds at once; null takes what fits. */
    microBatch: z.int().positive().nullable(),
    /** Whether encoder and denoiser keep the inputs of their blocks only and compute the rest again for the gradient. */
    gradientCheckpointing: z.boolean(),
  }),
  /** A folder that keeps the VAE's latents of images for this run and later ones; null keeps them in memory only. */
  latentCache: text.nullable(),
  checkpoint: z.strictObject({
    everySteps: z.int().positive(),
    everySeconds: positive,
  }),
  /** Evaluations of the encoder before and after: `mmvp:<folder>`, `folder:<folder>`, or a module. */
  evaluate: z.array(text).refine(once, twice),
  tensorboard: z.boolean(),
});

/** Everything that determines a run's numbers; written to its folder as `config.yaml`. */
export type RunConfig = z.infer<typeof runConfigSchema>;

/** The settings that say which models a run takes. */
export type ModelSettings = "encoder" | "encoderRevision" | "diffusion" | "diffusionRevision" | "variant";

/** Settings without a default: the user names them. */
export type RequiredSetting = "encoder" | "diffusion" | "images";

/** The paper's settings (Han et al. 2026, section 5.1). */
export const defaultConfig: Omit<RunConfig, RequiredSetting> = {
  variant: null,
  strict: false,
  methods: ["dcr"],
  seeds: [0],
  device: "auto",
  storage: "float32",
  endToEnd: false,
  align: {
    loss: "rec",
    steps: 100_000,
    batch: 16,
    accumulation: 2,
    learningRate: 1e-4,
    warmupSteps: 10,
    schedule: "constant",
    weightDecay: 0.01,
    maxGradNorm: 1,
  },
  enhance: {
    steps: 4600,
    batch: 16,
    accumulation: 2,
    learningRate: 1e-5,
    warmupSteps: 10,
    schedule: "constant",
    weightDecay: 0.01,
    maxGradNorm: 1,
  },
  lora: {
    rank: 16,
    alpha: 16,
    dropout: 0.1,
    bias: "lora_only",
    targetModules: ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"],
  },
  temperature: 0.1,
  timesteps: null,
  target: "scheduler",
  positives: ["augmented", "target"],
  gradient: "all",
  localTokens: 0,
  conflict: true,
  naive: { lambdaCon: 1, lambdaRec: 1 },
  aggregator: "sum",
  augment: { colorJitter: 0.1, hue: 0.05, horizontalFlip: 0.5, verticalFlip: 0.5 },
  memory: { chunk: null, microBatch: null, gradientCheckpointing: false },
  latentCache: null,
  checkpoint: { everySteps: 50, everySeconds: 300 },
  evaluate: [],
  tensorboard: false,
};

/** Names a configuration among all: equal for equal settings, in whatever order they were written. */
export function settingsHash(config: RunConfig): string {
  return createHash("sha256")
    .update(JSON.stringify(sorted(config)))
    .digest("hex");
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
