import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { deviceChoices } from "@dcr-js/tensor";
import { z } from "zod";

export const methodNames = ["original", "rec", "con", "naive", "dcr"] as const;
export type MethodName = (typeof methodNames)[number];

/** The losses that a projector is aligned by; `own` is `dcr` for the method `dcr` and `rec` for the others. */
export const alignmentChoices = ["own", "rec", "dcr"] as const;
export type Alignment = Exclude<(typeof alignmentChoices)[number], "own">;

const stage = z.strictObject({
  steps: z.int().nonnegative(),
  batch: z.int().min(2),
  learningRate: z.number().positive(),
});

/** Two jobs of one name would write the same files. */
const once = <T>(values: readonly T[]) => new Set(values).size === values.length;

export const runConfigSchema = z.strictObject({
  methods: z.array(z.enum(methodNames)).nonempty().refine(once, "each once"),
  seeds: z.array(z.int().nonnegative()).nonempty().refine(once, "each once"),
  device: z.enum(deviceChoices as [string, ...string[]]),
  /** Folder of the pretrained models, in the Hugging Face layout. */
  models: z.string().nonempty(),
  quick: z.boolean(),
  /** `reserved`: the final evaluation. `validation`: held-out visible codes, to choose settings with. */
  evaluate: z.enum(["reserved", "validation"]),
  /** Stage 1, projector alignment: the loss that it minimises, and the settings for each. */
  align: z.strictObject({ loss: z.enum(alignmentChoices), rec: stage, dcr: stage }),
  /** Stage 2, encoder enhancement. */
  enhance: stage,
  lora: z.strictObject({
    rank: z.int().positive(),
    alpha: z.number().positive(),
    dropout: z.number().min(0).max(0.99),
  }),
  temperature: z.number().positive(),
  /** Weights of the two losses of `naive`. */
  naive: z.strictObject({ lambdaCon: z.number(), lambdaRec: z.number() }),
  augment: z.strictObject({ horizontalFlip: z.number(), verticalFlip: z.number() }),
  savings: z.strictObject({ chunk: z.int().nonnegative(), sharedPrefix: z.boolean(), additive: z.boolean() }),
  digitsPerClass: z.int().positive(),
});

/** Everything that determines a run's numbers; written to its folder as `config.json`. */
export type RunConfig = z.infer<typeof runConfigSchema>;

const full: Omit<RunConfig, "methods" | "seeds" | "device" | "models" | "evaluate"> = {
  quick: false,
  align: {
    loss: "own",
    rec: { steps: 400, batch: 16, learningRate: 1e-3 },
    dcr: { steps: 300, batch: 8, learningRate: 1e-3 },
  },
  enhance: { steps: 120, batch: 8, learningRate: 1e-3 },
  lora: { rank: 16, alpha: 16, dropout: 0 },
  temperature: 0.1,
  // The reconstruction loss's gradient at the encoder is some twelve times shorter than the contrastive loss's.
  naive: { lambdaCon: 1, lambdaRec: 10 },
  // Directions are among the details that the encoder is asked for.
  augment: { horizontalFlip: 0, verticalFlip: 0 },
  savings: { chunk: 96, sharedPrefix: true, additive: true },
  digitsPerClass: 100,
};

/** The settings that a run starts from; `quick` is for seeing it work. */
export function defaultSettings(quick: boolean): typeof full {
  if (!quick) return full;
  return {
    ...full,
    quick: true,
    align: {
      ...full.align,
      rec: { ...full.align.rec, steps: 60 },
      dcr: { ...full.align.dcr, steps: 40 },
    },
    enhance: { ...full.enhance, steps: 16 },
    digitsPerClass: 30,
  };
}

/** Checks a configuration. @param where what an error calls it. @throws one line that names each setting that is wrong. */
export function checkRunConfig(where: string, config: unknown): RunConfig {
  const result = runConfigSchema.safeParse(config);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) =>
    [...(path.length > 0 ? [path.join(".")] : []), message].join(": "),
  );
  throw new Error(`${where}: ${problems.join("; ")}`);
}

/** Reads a run folder's configuration. @throws one line that names the folder and what is wrong. */
export async function readRunConfig(folder: string): Promise<RunConfig> {
  const path = join(folder, "config.json");
  const text = await readFile(path, "utf8").catch(() => {
    throw new Error(`${folder}: no run to resume, it has no config.json`);
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new Error(`${path}: not valid JSON (${(error as Error).message})`);
  }
  return checkRunConfig(path, json);
}
