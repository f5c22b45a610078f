import { Random } from "@dcr-js/tensor";
import { checkChoice, checkNumber, checkOptions, describe } from "../shared/check-options.js";

/** Which biases train beside the low-rank factors; peft's values. */
export type LoRABias = "none" | "all" | "lora_only";

/** Settings of {@link addLoRA}: peft's `LoraConfig` in camel case, without `lora` where peft has it; peft's meaning. */
export interface LoRAOptions {
  /** Rank of the update (peft's `r`). Default 16. */
  rank?: number;
  /** The update is scaled by alpha / rank (peft's `lora_alpha`). Default 16. */
  alpha?: number;
  /** Dropout on the low-rank branch's input while training, in [0, 1) (peft's `lora_dropout`). Default 0.1. */
  dropout?: number;
  /** Scale by alpha / sqrt(rank) instead (Kalajdzievski 2023). Default false. */
  useRslora?: boolean;
  /**
   * Which Linear layers are adapted: those whose path is, or ends in, one of a list; those whose whole path matches a regular
   * expression, given as a string; or `"all-linear"`, in any case. Default the six of every layer of CLIP's and SigLIP's towers.
   */
  targetModules?: readonly string[] | string;
  /** Which of these are left out, given as `targetModules` is. Default none. */
  excludeModules?: readonly string[] | string;
  /** Adapt only layers of these numbers; with a list of targets only, and not those whose whole path the list names. */
  layersToTransform?: number | readonly number[];
  /** Regular expressions for the name of the stack that `layersToTransform` counts in. Default any. */
  layersPattern?: string | readonly string[];
  /** Ranks that differ, by the end of a path or a regular expression for it; the first that matches counts. */
  rankPattern?: Readonly<Record<string, number>>;
  /** Alphas that differ, in the same way. */
  alphaPattern?: Readonly<Record<string, number>>;
  /** `none`, those of the adapted layers (`lora_only`), or `all` of the part that is adapted. Default `none`. */
  bias?: LoRABias;
  /** Adapt only the part at this path, for example `vision_model` (peft has no such option). Default: all of the model. */
  within?: string;
  /** Source of the first values and of the dropout masks. Default `new Random(0)`. */
  random?: Random;
}

/** Options with their defaults, checked. */
export type CheckedLoRAOptions = Required<
  Pick<
    LoRAOptions,
    | "rank"
    | "alpha"
    | "dropout"
    | "useRslora"
    | "targetModules"
    | "bias"
    | "within"
    | "random"
    | "rankPattern"
    | "alphaPattern"
  >
> &
  Pick<LoRAOptions, "excludeModules" | "layersToTransform" | "layersPattern">;

/** The linear layers of a layer of CLIP and SigLIP. */
export const DEFAULT_TARGETS: readonly string[] = ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"];

const names = {
  rank: true,
  alpha: true,
  dropout: true,
  useRslora: "boolean",
  targetModules: true,
  excludeModules: true,
  layersToTransform: true,
  layersPattern: true,
  rankPattern: true,
  alphaPattern: true,
  bias: true,
  within: true,
  random: true,
} as const;

/** peft's spelling of each option that differs from ours. */
export const peftNames = {
  r: "rank",
  lora_alpha: "alpha",
  lora_dropout: "dropout",
  use_rslora: "useRslora",
  target_modules: "targetModules",
  exclude_modules: "excludeModules",
  layers_to_transform: "layersToTransform",
  layers_pattern: "layersPattern",
  rank_pattern: "rankPattern",
  alpha_pattern: "alphaPattern",
} as const satisfies Record<string, keyof LoRAOptions>;

/** Options of peft that change what is computed, and that this does not have. */
const unsupported = [
  "modules_to_save",
  "use_dora",
  "init_lora_weights",
  "fan_in_fan_out",
  "layer_replication",
  "lora_bias",
  "target_parameters",
  "trainable_token_indices",
  "use_qalora",
  "megatron_config",
  "loftq_config",
  "eva_config",
  "corda_config",
];

/**
 * Checks the options of {@link addLoRA} and fills in defaults.
 *
 * @throws on an option that is not known, with our name where it is peft's, and on a value out of range
 */
export function checkLoRAOptions(options: LoRAOptions): CheckedLoRAOptions {
  refusePeftNames(options);
  const given = checkOptions("addLoRA", options, names);
  const {
    targetModules: targets = DEFAULT_TARGETS,
    bias = "none",
    within = "",
    useRslora = false,
    random = new Random(0),
  } = given;
  checkChoice("addLoRA: bias", bias, ["none", "all", "lora_only"]);
  checkTexts("targetModules", targets);
  // In any case, as peft has it.
  const allLinear = typeof targets === "string" && targets.toLowerCase() === "all-linear";
  const targetModules = allLinear ? "all-linear" : targets;
  if (given.excludeModules !== undefined) checkTexts("excludeModules", given.excludeModules);
  if (given.layersPattern !== undefined) checkTexts("layersPattern", given.layersPattern);
  if (typeof within !== "string")
    throw new TypeError(`addLoRA: within must be a path, got ${describe(within)}`);
  if (!(random instanceof Random))
    throw new TypeError(`addLoRA: random must be a Random, got ${describe(random)}`);
  const { layersToTransform, layersPattern } = given;
  if (layersToTransform !== undefined) {
    if (typeof targetModules === "string") {
      throw new Error(
        "addLoRA: layersToTransform needs a list of targetModules; put the layers into the expression",
      );
    }
    for (const layer of [layersToTransform].flat()) {
      checkNumber("addLoRA: layersToTransform", layer, { min: 0, integer: true });
    }
  } else if (layersPattern !== undefined) {
    throw new Error("addLoRA: layersPattern needs layersToTransform");
  }
  return {
    ...given,
    rank: checkNumber("addLoRA: rank", given.rank ?? 16, rankRange),
    alpha: checkNumber("addLoRA: alpha", given.alpha ?? 16, { above: 0 }),
    dropout: checkNumber("addLoRA: dropout", given.dropout ?? 0.1, { min: 0, below: 1 }),
    useRslora,
    targetModules,
    bias,
    within,
    random,
    rankPattern: checkPatterns("rankPattern", given.rankPattern, rankRange),
    alphaPattern: checkPatterns("alphaPattern", given.alphaPattern, { above: 0 }),
  };
}

const rankRange = { min: 1, max: 65_536, integer: true };

function refusePeftNames(options: LoRAOptions): void {
  if (typeof options !== "object" || options === null) return;
  const camel = (name: string) => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    if (Object.hasOwn(peftNames, name)) {
      throw new TypeError(`addLoRA: peft's "${name}" is "${peftNames[name as keyof typeof peftNames]}" here`);
    }
    const theirs = unsupported.find((key) => key === name || camel(key) === name);
    if (theirs) throw new TypeError(`addLoRA: peft's "${theirs}" is not supported, got ${describe(value)}`);
  }
}

function checkTexts(name: string, value: unknown): void {
  const valid =
    Array.isArray(value) && value.length > 0
      ? value.every((entry) => typeof entry === "string" && entry !== "")
      : typeof value === "string" && value !== "";
  if (!valid) {
    throw new TypeError(
      `addLoRA: ${name} must be a string or a list of strings, not empty, got ${describe(value)}`,
    );
  }
}

function checkPatterns(
  name: string,
  patterns: unknown,
  range: Parameters<typeof checkNumber>[2],
): Readonly<Record<string, number>> {
  if (patterns === undefined) return {};
  if (typeof patterns !== "object" || patterns === null || Array.isArray(patterns)) {
    throw new TypeError(
      `addLoRA: ${name} must be an object of numbers by pattern, got ${describe(patterns)}`,
    );
  }
  for (const [key, value] of Object.entries(patterns)) {
    checkNumber(`addLoRA: ${name} ${JSON.stringify(key)}`, value, range);
  }
  return patterns as Record<string, number>;
}
