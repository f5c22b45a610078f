import { checkText, type OptionNames } from "../../shared/check-options.js";
import { nodeModule } from "../../shared/node-modules.js";

/** Where models are cached and from where they come. */
export interface HubOptions {
  /** A branch, a tag or a commit. Default `"main"`. */
  revision?: string;
  /** The cache. Default: HF_HUB_CACHE, else `hub` in HF_HOME, else in `huggingface` of XDG_CACHE_HOME or `~/.cache`. */
  cacheDir?: string;
  /** The hub's address. Default: HF_ENDPOINT, else `https://huggingface.co`. */
  endpoint?: string;
  /** An access token; false for none. Default: HF_TOKEN, else the file that `hf auth login` writes. */
  token?: string | false;
  /** Whether nothing is asked of the hub. Default: HF_HUB_OFFLINE, else false. */
  localFilesOnly?: boolean;
  /** Whether the hub is asked for a newer commit although the cache has the model. Default false. */
  refresh?: boolean;
  /** Called when a file begins, as its bytes come, and when it is whole. */
  onProgress?: (progress: DownloadProgress) => void;
}

export const hubOptionNames: OptionNames<HubOptions> = {
  revision: true,
  cacheDir: true,
  endpoint: true,
  token: true,
  localFilesOnly: "boolean",
  refresh: "boolean",
  onProgress: "function",
};

/** Checks the options that are texts. */
export function checkHubTexts(caller: string, options: HubOptions): void {
  const { revision, cacheDir, endpoint, token } = options;
  for (const [name, value] of Object.entries({ revision, cacheDir, endpoint })) {
    if (value !== undefined) checkText(`${caller}: ${name}`, value);
  }
  if (token !== undefined && token !== false) checkText(`${caller}: token`, token);
}

/** How far a download is. */
export interface DownloadProgress {
  /** The file in the repository. */
  file: string;
  /** Bytes of it that are there, and that it has. */
  fileBytes: number;
  fileTotal: number;
  /** Bytes of all files that are there, and that they have. */
  bytes: number;
  total: number;
}

/** The settings of huggingface_hub's environment variables, where the options say nothing. */
export interface HubSettings {
  cacheDir: string;
  endpoint: string;
  offline: boolean;
  /** Reads the token when it is first needed. */
  token: () => Promise<string | undefined>;
}

/** As huggingface_hub reads its environment (`constants.py`): an empty variable counts as set, but for flags. */
export function hubSettings(options: HubOptions): HubSettings {
  const { join } = nodeModule("node:path");
  const { env } = process;
  const home = () =>
    expand(env["HF_HOME"] ?? join(env["XDG_CACHE_HOME"] ?? join(homeFolder(), ".cache"), "huggingface"));
  const endpoint = (options.endpoint ?? env["HF_ENDPOINT"] ?? "https://huggingface.co").replace(/\/+$/, "");
  if (!/^https?:\/\/./.test(endpoint)) {
    throw new Error(`the hub's endpoint must be an http or https address, got ${JSON.stringify(endpoint)}`);
  }
  return {
    endpoint,
    cacheDir: expand(
      options.cacheDir ?? env["HF_HUB_CACHE"] ?? env["HUGGINGFACE_HUB_CACHE"] ?? join(home(), "hub"),
    ),
    offline: options.localFilesOnly ?? (isTrue(env["HF_HUB_OFFLINE"]) || isTrue(env["TRANSFORMERS_OFFLINE"])),
    token: async () => {
      if (options.token !== undefined) return options.token || undefined;
      const given = env["HF_TOKEN"] ?? env["HUGGING_FACE_HUB_TOKEN"];
      if (given !== undefined) return given.trim() || undefined;
      const read = async () => {
        const path = expand(env["HF_TOKEN_PATH"] ?? join(home(), "token"));
        return await nodeModule("node:fs/promises").readFile(path, "utf8");
      };
      const text = await read().catch(() => "");
      return text.trim() || undefined;
    },
  };
}

const isTrue = (value: string | undefined): boolean => /^(1|on|yes|true)$/i.test(value ?? "");

function expand(path: string): string {
  return path.replace(/^~(?=$|[/\\])/, homeFolder);
}

/** The user's folder. An empty HOME would put the cache into whatever folder the program runs in. */
function homeFolder(): string {
  const { homedir } = nodeModule("node:os");
  let folder = "";
  try {
    folder = homedir();
  } catch {
    // There is no HOME, and the system does not know the user, as in some containers.
  }
  if (folder !== "") return folder;
  throw new Error(
    "the user has no home folder to cache models in (HOME is empty); set HF_HOME, or the option cacheDir",
  );
}
