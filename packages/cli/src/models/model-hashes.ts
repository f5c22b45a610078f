import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { open, readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import type { ModelSettings, RunConfig } from "../config/run-config.js";
import { diffusionParts, resolveDiffusion, resolveEncoder } from "./resolve-models.js";

type Models = Pick<RunConfig, ModelSettings>;

/** A commit of the hub by its own name. */
const commitName = /^[0-9a-f]{40}$/;

/** Of a folder's weights this many blocks are read, evenly apart, the header among them: other weights differ in all of them. */
const blocks = 64;
const blockBytes = 4096;

/** Files that make a model. */
const modelFile = /\.(safetensors|json|txt|model)$/;

/** What each model is made of: a model of the hub by its commit, a folder by a hash of its files. */
export interface ModelHashes {
  encoder: string;
  diffusion: string;
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

/** Tells what each model of a run is made of. */
export async function hashModels(config: Models): Promise<ModelHashes> {
  const [encoder, diffusion] = [await resolveEncoder(config), await resolveDiffusion(config)];
  return {
    encoder: commitOf(config.encoder, encoder) ?? (await hashFiles(encoder, [""])),
    diffusion: commitOf(config.diffusion, diffusion) ?? (await hashFiles(diffusion, ["", ...diffusionParts])),
  };
}

/** The commit of a model of the hub; undefined for a folder. @param folder where its files lie: the cache names it by the commit */
function commitOf(name: string, folder: string): string | undefined {
  const commit = basename(folder);
  return !existsSync(name) && commitName.test(commit) ? commit : undefined;
}

/** A hash of the names, sizes and a sample of the contents of a model's files. */
async function hashFiles(folder: string, parts: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const part of parts) {
    const names = await readdir(join(folder, part)).catch(() => []);
    for (const name of names.filter((each) => modelFile.test(each)).sort()) {
      const file = await open(join(folder, part, name));
      try {
        const { size } = await file.stat();
        hash.update(JSON.stringify([part, name, size]));
        for (const start of blockStarts(size)) {
          const { buffer, bytesRead } = await file.read(Buffer.alloc(blockBytes), 0, blockBytes, start);
          hash.update(buffer.subarray(0, bytesRead));
        }
      } finally {
        await file.close();
      }
    }
  }
  return hash.digest("hex");
}

/** Where the blocks begin that are read of a file: everywhere in a small one. */
function blockStarts(size: number): number[] {
  const whole = Math.ceil(size / blockBytes);
  const count = Math.min(blocks, whole);
  return Array.from({ length: count }, (_, i) =>
    count < whole ? Math.floor((i * (size - blockBytes)) / (count - 1)) : i * blockBytes,
  );
}
