import { checkOptions, checkText, type OptionNames } from "../../shared/check-options.js";
import { nodeModule } from "../../shared/node-modules.js";
import { shown } from "../../shared/shown.js";
import { parseJsonObject } from "../model-files.js";
import { isWeightsFile } from "../weights-files.js";
import { isInside, type RepoCache, repoCache } from "./cache.js";
import { chooseFiles, type WantedFiles } from "./choose-files.js";
import { downloadBlob } from "./download.js";
import {
  checkHubTexts,
  type HubOptions,
  type HubSettings,
  hubOptionNames,
  hubSettings,
} from "./environment.js";
import { HubError, openRepository, type Repository, remoteFile } from "./repository.js";

/** The files that {@link resolveModel} looks for, and where. */
export interface ResolveOptions extends HubOptions, WantedFiles {
  /**
   * Files of which one group must be there for the cache to count as having the model. Default `config.json` or
   * `model_index.json`; for a tokenizer for example `[["tokenizer.json"], ["vocab.json", "merges.txt"]]`.
   */
  needs?: readonly (readonly string[])[];
}

const names: OptionNames<ResolveOptions> = {
  ...hubOptionNames,
  subfolder: true,
  subfolders: true,
  variant: true,
  weights: "boolean",
  needs: true,
};

/**
 * The folder of a model: a local one, else the model's in the Hugging Face cache, else downloaded into that cache, where Python's
 * huggingface_hub finds it too. Only what the model needs is downloaded: settings, vocabularies, and the safetensors of the
 * variant. A download that was cut is taken up where it was. Node only.
 *
 * @param idOrFolder a folder, or a model's id on the hub such as `"openai/clip-vit-large-patch14"`
 * @param options which revision, variant and subfolder; the environment's variables (HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN,
 * HF_HUB_OFFLINE) apply where an option is left out
 * @returns the folder, with `subfolder` joined to it
 * @throws one line that names both readings where it is neither a folder nor a model; where the hub needs a token, does not answer,
 * or offline the cache lacks the model
 *
 * @example
 * const folder = await resolveModel("openai/clip-vit-base-patch32");
 */
export async function resolveModel(idOrFolder: string, options: ResolveOptions = {}): Promise<string> {
  const wanted = checkOptions("resolveModel", options, names);
  const { subfolder, revision = "main", variant, subfolders, needs } = wanted;
  checkHubTexts("resolveModel", wanted);
  for (const [name, value] of Object.entries({ subfolder, variant })) {
    if (value !== undefined) checkText(`resolveModel: ${name}`, value);
  }
  if (subfolders !== undefined) checkTexts("resolveModel: subfolders", subfolders);
  if (needs !== undefined && !Array.isArray(needs)) {
    throw new TypeError(`resolveModel: needs must be an array of arrays of names, got ${shown(needs)}`);
  }
  for (const [i, group] of (needs ?? []).entries()) checkTexts(`resolveModel: needs[${i}]`, group);
  const { join, resolve } = nodeModule("node:path");
  if (typeof idOrFolder !== "string" || idOrFolder === "") {
    throw new Error(`resolveModel: expected a folder or a model's id, got ${shown(idOrFolder)}`);
  }
  for (const [name, path] of Object.entries({ subfolder, revision })) {
    if (path !== undefined && !isInside(path))
      throw new Error(`resolveModel: ${name}: refusing ${shown(path)}`);
  }
  const within = (folder: string) =>
    subfolder === undefined ? folder : join(folder, ...subfolder.split("/"));
  if (await isFolder(idOrFolder)) return within(idOrFolder);
  const missing = `${resolve(idOrFolder)} does not exist`;
  if (!isModelId(idOrFolder)) {
    throw new Error(
      `${shown(idOrFolder)} is no folder (${missing}), and no model's id on the hub, which is owner/name`,
    );
  }

  const settings = hubSettings(wanted);
  const cache = repoCache(settings.cacheDir, idOrFolder);
  const cached = await cache.commitOf(revision);
  if (cached !== undefined && !(wanted.refresh && !settings.offline)) {
    const folder = within(cache.snapshot(cached));
    if (await isComplete(folder, wanted)) return folder;
  }
  const neither = `${shown(idOrFolder)} is neither a folder (${missing}) nor a model`;
  if (settings.offline) {
    throw new Error(
      `${neither} whose files are in the cache ${settings.cacheDir} (revision ${shown(revision)}); ` +
        "the hub is not asked, since localFilesOnly or HF_HUB_OFFLINE is set",
    );
  }
  try {
    return within(await download(idOrFolder, revision, cache, settings, wanted));
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    throw new Error(`${neither} that could be had from the hub (${error.message})`, { cause: error });
  }
}

function checkTexts(name: string, texts: readonly string[]): void {
  if (!Array.isArray(texts)) throw new TypeError(`${name} must be an array of names, got ${shown(texts)}`);
  for (const [i, text] of texts.entries()) checkText(`${name}[${i}]`, text);
}

/** Whether it can be an id: `name` or `owner/name`, and no path. */
const isModelId = (text: string): boolean =>
  /^[\w-][\w.-]{0,95}(\/[\w-][\w.-]{0,95})?$/.test(text) && !/\.\.|--|\.git$/.test(text);

const isThere = (path: string): Promise<boolean> =>
  nodeModule("node:fs/promises")
    .stat(path)
    .then(
      () => true,
      () => false,
    );

/** Whether a folder is at the path. @throws where it is a file */
async function isFolder(path: string): Promise<boolean> {
  const stats = await nodeModule("node:fs/promises")
    .stat(path)
    .catch(() => undefined);
  if (stats === undefined || stats.isDirectory()) return stats !== undefined;
  throw new Error(`resolveModel: expected a folder or a model's id, got the file ${shown(path)}`);
}

/** Whether a snapshot has what is wanted: Python may have downloaded a part of it. */
async function isComplete(
  folder: string,
  wanted: WantedFiles & Pick<ResolveOptions, "needs">,
): Promise<boolean> {
  const { readdir } = nodeModule("node:fs/promises");
  const { join } = nodeModule("node:path");
  const { needs = [["config.json"], ["model_index.json"]], weights = true, variant, subfolders } = wanted;
  // Of a link without its blob readdir tells the name all the same.
  const listed = await readdir(folder).catch(() => []);
  const there = await Promise.all(listed.map((name) => isThere(join(folder, name))));
  const files = listed.filter((_, i) => there[i]);
  if (!needs.some((group) => group.every((name) => files.includes(name)))) return false;
  if (files.includes("model_index.json") && wanted.subfolder === undefined) {
    const index = await readIndex(join(folder, "model_index.json")).catch(() => undefined);
    if (index === undefined) return false;
    const parts = partsOf(index, subfolders);
    const whole = await Promise.all(
      parts.map((part) => {
        const json = (files: string[]) => files.some((name) => name.endsWith(".json"));
        return readdir(join(folder, part)).then(
          async (files) =>
            json(files) &&
            (!files.includes("config.json") || (await isComplete(join(folder, part), { weights, variant }))),
          () => false,
        );
      }),
    );
    return whole.every(Boolean);
  }
  if (!weights) return true;
  let chosen: string[];
  try {
    chosen = chooseFiles(folder, files, { variant }).filter(isWeights);
  } catch {
    return false;
  }
  const index = chosen.find((name) => name.endsWith(".json"));
  if (index === undefined) return chosen.length > 0;
  const found = await readIndex(join(folder, index)).catch(() => undefined);
  const map = found?.["weight_map"];
  const shards = typeof map === "object" && map !== null ? Object.values(map) : [];
  return shards.length > 0 && shards.every((shard) => files.includes(shard));
}

/** @throws naming the file, where it holds no JSON object */
async function readIndex(path: string): Promise<Record<string, unknown>> {
  return parseJsonObject(await nodeModule("node:fs/promises").readFile(path), path, "resolveModel");
}

const isWeights = (name: string): boolean =>
  isWeightsFile(name, "model") || isWeightsFile(name, "diffusion_pytorch_model");

/** The subfolders that a model_index.json names, those with a library and a class, as far as they are wanted. */
function partsOf(index: Record<string, unknown>, wanted?: readonly string[]): string[] {
  return Object.entries(index).flatMap(([name, value]) => {
    const isPart = Array.isArray(value) && value.every((one) => typeof one === "string");
    const isWanted = wanted === undefined || wanted.includes(name);
    return isPart && isWanted && !name.startsWith("_") && isInside(name) ? [name] : [];
  });
}

async function download(
  id: string,
  revision: string,
  cache: RepoCache,
  settings: HubSettings,
  wanted: ResolveOptions,
): Promise<string> {
  const token = await settings.token();
  const repository = await openRepository(settings.endpoint, id, revision, token);
  const fetchFiles = async (files: Repository["files"]): Promise<[string, string][]> => {
    const total = files.reduce((sum, { size }) => sum + size, 0);
    const etags: [string, string][] = [];
    let before = 0;
    for (const { path, size } of files) {
      const remote = await remoteFile(settings.endpoint, id, repository.commit, path, token);
      const report = (fileBytes: number) =>
        wanted.onProgress?.({
          file: path,
          fileBytes,
          fileTotal: remote.size,
          bytes: before + fileBytes,
          total,
        });
      report(0);
      if (!(await isThere(cache.blob(remote.etag)))) {
        await downloadBlob(`${id}: ${path}`, remote, cache.blob(remote.etag), { token, onBytes: report });
      }
      report(remote.size);
      before += size;
      etags.push([path, remote.etag]);
    }
    return etags;
  };
  const link = async (etags: [string, string][]): Promise<void> => {
    for (const [path, etag] of etags) await cache.link(repository.commit, path, etag);
  };

  const here = filesIn(repository, wanted.subfolder ?? "");
  const index = here.find(({ path }) => path === "model_index.json");
  let etags: [string, string][];
  if (index && wanted.subfolder === undefined) {
    const first = await fetchFiles([index]);
    const parts = partsOf(await readIndex(cache.blob(first[0]![1])), wanted.subfolders);
    etags = [
      ...(await fetchFiles(parts.flatMap((part) => choose(id, filesIn(repository, part), part, wanted)))),
      ...first,
    ];
  } else {
    etags = await fetchFiles(choose(id, here, wanted.subfolder ?? "", wanted));
  }
  // The links last, and of them those that say that the rest is there: a snapshot is never taken for whole before it is.
  const isLast = ([path]: [string, string]) => /(^|\/)(config|model_index)\.json$/.test(path);
  await link(etags.filter((one) => !isLast(one)));
  await link(etags.filter(isLast));
  await cache.rememberCommit(revision, repository.commit);
  return cache.snapshot(repository.commit);
}

/** The files that lie in a folder of the repository, not below it. */
function filesIn({ files }: Repository, folder: string): Repository["files"] {
  const prefix = folder === "" ? "" : `${folder}/`;
  return files.filter(({ path }) => path.startsWith(prefix) && !path.slice(prefix.length).includes("/"));
}

function choose(
  id: string,
  files: Repository["files"],
  folder: string,
  wanted: WantedFiles,
): Repository["files"] {
  const nameOf = (path: string) => path.slice(path.lastIndexOf("/") + 1);
  if (files.length === 0) throw new HubError(`it has no folder ${shown(folder)}`);
  const chosen = new Set(
    chooseFiles(
      folder === "" ? id : `${id}/${folder}`,
      files.map(({ path }) => nameOf(path)),
      wanted,
    ),
  );
  return files.filter(({ path }) => chosen.has(nameOf(path)));
}
