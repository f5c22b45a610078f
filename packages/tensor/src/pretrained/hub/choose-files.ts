import { convertFromHub } from "../conversion.js";
import { isWeightsFile } from "../weights-files.js";

/** The wanted parts of a repository. */
export interface WantedFiles {
  /** The folder in the repository that holds the model, such as `"unet"`. Default the repository's root. */
  subfolder?: string;
  /** For a diffusers repository: of the parts that `model_index.json` names, the subfolders of the wanted ones. Default all. */
  subfolders?: readonly string[];
  /** The variant of the weights. Default none. */
  variant?: string;
  /** Whether weights are wanted. Default true. */
  weights?: boolean;
}

const bases = ["model", "diffusion_pytorch_model"] as const;

/** Settings and vocabularies: everything but weights that a model or a tokenizer is made of. */
const isSmall = (name: string): boolean =>
  /\.(json|txt|model|jinja)$/.test(name) && !/\.index(\.[\w-]+)?\.json$/.test(name);

/** The variant in the name of a weights file, "" for none, or undefined where it is no weights file. */
function variantOf(name: string): string | undefined {
  const base = bases.find((one) => isWeightsFile(name, one));
  if (base === undefined) return undefined;
  const rest = name
    .slice(base.length)
    .replace(/\.safetensors/, "")
    .replace(/-\d+-of-\d+/, "")
    .replace(/\.index/, "")
    .replace(/\.json$/, "");
  return rest.slice(1);
}

/** Of weights both whole and in shards, only the whole is read. */
function withoutShards(names: readonly string[]): string[] {
  const whole = names.filter((name) => !/-\d+-of-\d+|\.index\./.test(name));
  return whole.length > 0 ? whole : [...names];
}

/**
 * The files of one folder of a repository that are wanted.
 *
 * @param names the files that lie in it
 * @returns their names
 * @throws where weights are wanted and the folder has some, but none of the variant or none in a format that is read
 */
export function chooseFiles(
  where: string,
  names: readonly string[],
  { variant, weights = true }: WantedFiles,
): string[] {
  const small = names.filter(isSmall);
  if (!weights) return small;
  const chosen = withoutShards(names.filter((name) => variantOf(name) === (variant ?? "")));
  if (chosen.length > 0) return [...small, ...chosen];
  const others = [...new Set(names.flatMap((name) => variantOf(name) ?? []))];
  if (others.length > 0) {
    const list = others.map((one) => (one === "" ? "without a variant" : JSON.stringify(one))).join(", ");
    throw new Error(
      `${where} has no weights ${variant === undefined ? "without a variant" : `of variant "${variant}"`}, only ${list}`,
    );
  }
  const pickle = names.find((name) => /\.(bin|ckpt|pt|pth|msgpack|h5)$/.test(name));
  if (pickle !== undefined && names.includes("config.json")) {
    const { line, folder } = convertFromHub(where);
    throw new Error(
      `${where} has its weights only as ${pickle}, which is not read; convert them once, and name the folder ${folder}: ${line}`,
    );
  }
  return small;
}
