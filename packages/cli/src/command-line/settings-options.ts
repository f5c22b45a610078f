import { dirname } from "node:path";
import { deviceChoices } from "@dcr-js/tensor";
import { type Command, Option } from "commander";
import {
  readMethod,
  settingsOf,
  usersOf,
  usesSetting,
  withOwnSettings,
  withoutOwnSetting,
} from "../config/methods.js";
import { type PresetName, presetNames, presets } from "../config/presets.js";
import { mergeSettings, type PartialConfig, readSettings, tryConfig } from "../config/read-config.js";
import { absolutePath, resolvePaths } from "../config/resolve-paths.js";
import {
  aggregatorNames,
  alignmentChoices,
  defaultConfig,
  isMethodSetting,
  methodNames,
  type RunConfig,
  schedules,
} from "../config/run-config.js";
import { alignmentJob } from "../run/jobs.js";
import { integer, listOf, number, oneOf, text } from "./parse-option.js";

/** An option that sets a setting of the configuration. */
interface SettingOption {
  flags: string;
  /** The setting's path in the configuration. */
  path: string;
  description: string;
  read?: (value: string) => unknown;
  /** The setting's value where the option is a flag. */
  value?: unknown;
}

const setting = (
  flags: string,
  path: string,
  description: string,
  read?: SettingOption["read"],
): SettingOption => ({
  flags,
  path,
  description,
  ...(read && { read }),
});

const flag = (flags: string, path: string, description: string, value: unknown = true): SettingOption => ({
  flags,
  path,
  description,
  value,
});

const models: SettingOption[] = [
  setting("--encoder <folder|id>", "encoder", "CLIP or SigLIP: a Hugging Face folder or hub id", text),
  setting("--diffusion <folder|id>", "diffusion", "Stable Diffusion: a diffusers folder or hub id", text),
  setting(
    "--encoder-revision <name>",
    "encoderRevision",
    "branch, tag or commit of the encoder's hub id; main by default",
    text,
  ),
  setting(
    "--diffusion-revision <name>",
    "diffusionRevision",
    "branch, tag or commit of the diffusion model's hub id; main by default",
    text,
  ),
  setting("--variant <name>", "variant", "which files of the diffusion model, for example fp16", text),
  setting(
    "--images <where>",
    "images",
    "a folder, tar shards ({00000..00331}.tar), a .csv, .jsonl or .mjs file",
    text,
  ),
  flag("--strict", "strict", "stop at the first broken image instead of skipping it"),
];

const gradientFlows = ["all", "anchor", "anchor-and-positive"];

const method: SettingOption[] = [
  setting(
    "--method, --methods <names>",
    "methods",
    `comma-separated: ${methodNames.join(", ")}, one of them with an aggregator (naive+pcgrad), or the path of a module (./my-loss.mjs)`,
    listOf((value) => readMethod(text(value))),
  ),
  setting(
    "--aggregator <name>",
    "aggregator",
    `makes one gradient of the losses' gradients: ${aggregatorNames.join(", ")}`,
    oneOf(aggregatorNames),
  ),
  setting(
    "--temperature <x>",
    "temperature",
    "temperature of the contrastive losses; auto measures that of the DCR loss",
    (value) => (value === "auto" ? value : number(value)),
  ),
  setting(
    "--timesteps <first,end>",
    "timesteps",
    "the noise has timesteps from first to end - 1; all by default",
    listOf(integer),
  ),
  setting(
    "--target <kind>",
    "target",
    "the ground-truth positive: scheduler or velocity",
    oneOf(["scheduler", "velocity"]),
  ),
  setting(
    "--positives <names>",
    "positives",
    "positives of the DCR loss, comma-separated: augmented, target",
    listOf(oneOf(["augmented", "target"])),
  ),
  setting(
    "--gradient <flow>",
    "gradient",
    `predictions of the DCR loss that the gradient flows through: ${gradientFlows.join(", ")}`,
    oneOf(gradientFlows),
  ),
  setting(
    "--local-tokens <share>",
    "localTokens",
    "share of local tokens that condition the denoiser",
    number,
  ),
  flag("--no-conflict", "conflict", "do not record how the losses' gradients conflict", false),
  setting("--lambda-con <x>", "naive.lambdaCon", "weight of the contrastive loss of naive", number),
  setting("--lambda-rec <x>", "naive.lambdaRec", "weight of the reconstruction loss of naive", number),
  flag("--end-to-end", "endToEnd", "train projector and encoder together, without stage 1"),
];

const stages: SettingOption[] = [
  setting(
    "--align-loss <name>",
    "align.loss",
    `loss of stage 1: ${alignmentChoices.slice(0, -1).join(", ")}, or own (dcr for the method dcr, rec for the others)`,
    oneOf(alignmentChoices),
  ),
  ...(["align", "enhance"] as const).flatMap((stage) => {
    const prefix = stage === "align" ? "--align-" : "--";
    const where = stage === "align" ? "stage 1" : "stage 2";
    const option = (name: string, key: string, description: string, read: (value: string) => unknown) =>
      setting(`${prefix}${name} <n>`, `${stage}.${key}`, `${description}, ${where}`, read);
    return [
      option("steps", "steps", "steps", integer),
      option("batch", "batch", "images in a batch", integer),
      option("accumulation", "accumulation", "batches to a step", integer),
      option("learning-rate", "learningRate", "learning rate", number),
      option("warmup", "warmupSteps", "steps of warm-up", integer),
      setting(
        `${prefix}schedule <name>`,
        `${stage}.schedule`,
        `learning rate after the warm-up, ${where}: ${schedules.join(", ")}`,
        oneOf(schedules),
      ),
      option("weight-decay", "weightDecay", "AdamW's weight decay", number),
      option("max-grad-norm", "maxGradNorm", "global norm that gradients are clipped to", number),
    ];
  }),
  setting("--lora-rank <n>", "lora.rank", "rank of the adapters", integer),
  setting("--lora-alpha <x>", "lora.alpha", "the adapters are scaled by alpha / rank", number),
  setting("--lora-dropout <p>", "lora.dropout", "dropout on the adapters' input", number),
  setting(
    "--lora-bias <kind>",
    "lora.bias",
    "biases that train: none, all, lora_only",
    oneOf(["none", "all", "lora_only"]),
  ),
  setting(
    "--lora-targets <names>",
    "lora.targetModules",
    "adapted layers of the image tower: comma-separated names, all-linear, or a regular expression of the whole path",
    targetsOf,
  ),
];

const running: SettingOption[] = [
  setting("--seed, --seeds <list>", "seeds", "comma-separated seeds of everything random", listOf(integer)),
  setting("--device <kind>", "device", `where to compute: ${deviceChoices.join(", ")}`, oneOf(deviceChoices)),
  setting(
    "--storage <type>",
    "storage",
    "how frozen weights are stored: float32, float16",
    oneOf(["float32", "float16"]),
  ),
  setting(
    "--chunk <n>",
    "memory.chunk",
    "predictions that a gradient holds at once; what fits by default",
    integer,
  ),
  setting(
    "--micro-batch <n>",
    "memory.microBatch",
    "images that the encoder's gradient holds at once; what fits by default",
    integer,
  ),
  flag(
    "--gradient-checkpointing",
    "memory.gradientCheckpointing",
    "less memory for gradients, at the cost of one more forward pass of the encoder and the denoiser",
  ),
  setting(
    "--latent-cache <folder>",
    "latentCache",
    "keep the VAE's latents of images here, for later runs too",
    text,
  ),
  setting(
    "--checkpoint-steps <n>",
    "checkpoint.everySteps",
    "steps from one checkpoint to the next",
    integer,
  ),
  setting("--checkpoint-seconds <x>", "checkpoint.everySeconds", "longest time between checkpoints", number),
  setting(
    "--evaluate <what>",
    "evaluate",
    "evaluations before and after, comma-separated: mmvp:<folder>, folder:<folder>, a module",
    listOf(text),
  ),
  flag("--tensorboard", "tensorboard", "write TensorBoard event files too"),
];

/** Names alone are a list; `all-linear` and everything else is one text, as for peft. */
function targetsOf(value: string): unknown {
  const isList = /^[\w., -]+$/.test(value) && value.trim().toLowerCase() !== "all-linear";
  return isList ? listOf(text)(value) : text(value);
}

export const settingOptions: SettingOption[] = [...models, ...method, ...stages, ...running];

/** Settings as the user gave them, and where each came from. */
export interface GivenSettings {
  /** All that were given, options over the preset over the file over the defaults. */
  settings: PartialConfig;
  /** The settings that options gave, each with the option's name. */
  byOption: { option: string; path: string; value: unknown }[];
}

/** Adds `--config`, `--preset` and the options of all settings to a command. */
export function addSettingOptions(command: Command): Command {
  command.option(
    "--config <file>",
    "YAML with any of the settings; options override it, and so does --preset",
    text,
  );
  command.option("--preset <name>", `models of the paper: ${presetNames.join(", ")}`, oneOf(presetNames));
  for (const { flags, path, description, read } of settingOptions) {
    // The default of what "--no-x" turns off would read as its own.
    const shown = flags.startsWith("--no-") ? description : describeWithDefault(description, path);
    const option = new Option(flags, shown);
    if (read) option.argParser(read);
    command.addOption(option);
  }
  return command;
}

function describeWithDefault(description: string, path: string): string {
  const value = at(defaultConfig as PartialConfig, path);
  if (value === undefined || value === null || value === false) return description;
  const shown = Array.isArray(value) ? value.join(",") : String(value);
  return shown === "" ? description : `${description} (default ${shown})`;
}

/** The settings that a command line asks for. */
export async function givenSettings(command: Command, base: string): Promise<GivenSettings> {
  const values = command.opts<Record<string, unknown>>();
  const byOption = settingOptions.flatMap(({ flags, path, value }) => {
    const option = new Option(flags);
    const given = values[option.attributeName()];
    // A flag that was not given is undefined, or true where it is a "--no-" one.
    if (given === undefined || (option.negate && given === true)) return [];
    return [{ option: option.long!, path, value: value ?? given }];
  });
  const preset = values.preset === undefined ? {} : presets[values.preset as PresetName];
  const file =
    values.config === undefined ? {} : await readConfigFile(absolutePath(values.config as string, base));
  const options = byOption.reduce(
    (all: PartialConfig, { path, value }) => mergeSettings(all, settingAt(path, value)),
    {},
  );
  const merged = [file, preset, options].reduce(mergeSettings, defaultConfig as PartialConfig);
  const [methods, ofFile] = [at(merged, "methods"), at(file, "methods")];
  // A value that is not a list is refused later, with all other settings.
  if (!Array.isArray(methods) || !Array.isArray(ofFile)) return { settings: merged, byOption };
  const changed = byOption.map(({ path }) => path).filter((path) => path !== "methods");
  const own = changed.reduce(withoutOwnSetting, withOwnSettings(methods, ofFile));
  return { settings: { ...merged, methods: own } as PartialConfig, byOption };
}

/**
 * Checks the settings that a command line gives.
 *
 * @throws one line that names each option that is wrong or missing, and `--config` with the setting where the file has it
 */
export function checkGiven({ settings, byOption }: GivenSettings): RunConfig {
  const { checked, problems } = tryConfig(settings);
  if (checked) {
    refuseUnused(checked, byOption);
    return checked;
  }
  const named = problems.map(({ setting, what }) => {
    const isAt = ({ path }: { path: string }) => setting === path || setting.startsWith(`${path}.`);
    const missing = settingOptions.find((option) => isAt(option) && at(settings, option.path) === undefined);
    const option = byOption.find(isAt)?.option ?? (missing && new Option(missing.flags).long!);
    return option ? `${option}: ${what}` : `--config: ${setting}: ${what}`;
  });
  throw new Error(named.join("; "));
}

/** @throws where an option was given that no method of the run uses. A file may have settings of methods that are not run now. */
function refuseUnused(config: RunConfig, byOption: GivenSettings["byOption"]): void {
  for (const { option, path } of byOption) {
    const [setting] = path.split(".") as [string];
    if (!isMethodSetting(setting)) continue;
    const isUsed = config.methods.some((method) =>
      usesSetting(method, setting, {
        alignment: alignmentJob({ kind: "method", method, seed: 0 }, config)?.loss,
        positives: settingsOf(method, config).positives,
      }),
    );
    if (isUsed) continue;
    throw new Error(`${option}: no method of this run uses it; ${usersOf(setting)}`);
  }
}

/** Settings of a file, whose relative paths start from the file's own folder. */
async function readConfigFile(path: string): Promise<PartialConfig> {
  const { methods, ...others } = await readSettings(path);
  const read = Array.isArray(methods)
    ? methods.map((each) => (typeof each === "string" ? readMethod(each) : each))
    : methods;
  return resolvePaths({ ...others, ...(methods !== undefined && { methods: read }) }, dirname(path));
}

/** The setting at a path, such as `lora.rank`. */
export function at(settings: PartialConfig, path: string): unknown {
  return path
    .split(".")
    .reduce<unknown>((value, key) => (value as PartialConfig | undefined)?.[key], settings);
}

/** Settings with only one, at its path. */
export const settingAt = (path: string, value: unknown): PartialConfig =>
  path
    .split(".")
    .reverse()
    .reduce<unknown>((inner, key) => ({ [key]: inner }), value) as PartialConfig;
