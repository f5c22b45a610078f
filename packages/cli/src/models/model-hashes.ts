import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import type { ModelSettings, RunConfig } from "../config/run-config.js";
import { type HashedFiles, hashFile } from "./hash-file.js";
import { diffusionParts, resolveDiffusion, resolveEncoder } from "./resolve-models.js";

type Models = Pick<RunConfig, ModelSettings>;

/** A commit of the hub by its own name. */
const commitName = /^[0-9a-f]{40}$/;

/** Files that make a model. */
const modelFile = /\.(safetensors|json|txt|model)$/;

/** What each model is made of: a model of the hub by its commit, a folder by a hash of its files. */
export interface ModelHashes {
  encoder: string;
  diffusion: string;
  /** The files of folders. */
  files: HashedFiles;
}

/** The models with the commits that branches and tags of the hub mean now, so that a run has the same models to its end. */
export async function pinRevisions(
  config: Models,
): Promise<Pick<RunConfig, "encoderRevision" | "diffusionRevision">> {
  const encoder = commitOf(config.encoder, await resolveEncoder(config));
  const diffusion = commitOf(config.diffusion, await resolveDiffusion(config));
  return {
    ...(encoder !== undefined && { encoderRevision: encoder }),
    ...(diffusion !== undefined && { diffusionRevision: diffusion }),
  };
}

/** Tells what each model of a run is made of. @param known hashes of before, so that files that have not changed are not read again */
export async function hashModels(config: Models, known: HashedFiles = {}): Promise<ModelHashes> {
  const [encoder, diffusion] = [await resolveEncoder(config), await resolveDiffusion(config)];
  const files: HashedFiles = {};
  const hashFolder = async (folder: string, parts: readonly string[]) => {
    const found = await hashFiles(folder, parts, known);
    Object.assign(files, found);
    const contents = Object.entries(found).map(([path, { sha256 }]) => [relative(folder, path), sha256]);
    return createHash("sha256").update(JSON.stringify(contents)).digest("hex");
  };
  return {
    encoder: commitOf(config.encoder, encoder) ?? (await hashFolder(encoder, [""])),
    diffusion:
      commitOf(config.diffusion, diffusion) ?? (await hashFolder(diffusion, ["", ...diffusionParts])),
    files,
  };
}

/** The commit of a model of the hub; undefined for a folder. @param folder where its files lie: the cache names it by the commit */
function commitOf(name: string, folder: string): string | undefined {
  const commit = basename(folder);
  return !existsSync(name) && commitName.test(commit) ? commit : undefined;
}

/** The hash of each of a model's files. */
async function hashFiles(folder: string, parts: readonly string[], known: HashedFiles): Promise<HashedFiles> {
  const found: HashedFiles = {};
  for (const part of parts) {
    const names = await readdir(join(folder, part)).catch(() => []);
    for (const name of names.filter((each) => modelFile.test(each)).sort()) {
      const path = join(folder, part, name);
      found[path] = await hashFile(path, known);
    }
  }
  return found;
}
