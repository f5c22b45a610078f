import { checkOptions, describe } from "../shared/check-options.js";
import { nodeModule } from "../shared/node-modules.js";
import { fingerprintOf, type StreamedDataset } from "./dataset.js";
import { expandPattern } from "./expand-pattern.js";
import { firstRepeated } from "./first-repeated.js";
import type { Log } from "./skipped-files.js";
import { tarMembers, tarSamples } from "./tar-samples.js";

export interface WebDatasetOptions {
  /** Is told, on one line for each shard, which members are not read. Default `console.warn`. */
  log?: Log;
}

/**
 * The images of WebDataset shards, tar or tar.gz. Shards are read from front to back, so that data larger than memory is read in
 * bounded memory. An image's name is the shard's path below the folder that holds all shards, and the sample's key, such as
 * `00000.tar/000000012`.
 *
 * @param patterns paths, with braces (`{00000..00331}.tar`) and globs (`*.tar`), or a list of them
 * @throws if a file is missing, a pattern matches nothing, or a shard is cut short
 *
 * @example
 * const dataset = await webDataset("cc3m/{00000..00331}.tar");
 */
export async function webDataset(
  patterns: string | string[],
  options?: WebDatasetOptions,
): Promise<StreamedDataset> {
  const { log = console.warn } = checkOptions("webDataset", options, { log: "function" });
  const list = Array.isArray(patterns) ? patterns : [patterns];
  if (list.length === 0)
    throw new Error("webDataset: patterns must name at least one file, got an empty list");
  const files: string[] = [];
  for (const pattern of list) {
    if (typeof pattern !== "string" || pattern === "") {
      throw new TypeError(`webDataset: patterns must be a path or a list of paths, got ${describe(pattern)}`);
    }
    for (const file of await expandPattern(pattern)) files.push(file);
  }
  const twice = firstRepeated(files);
  if (twice !== undefined) throw new Error(`webDataset: ${twice} is named twice`);
  const { stat } = nodeModule("node:fs/promises");
  const names = namesBelow(files);
  const shards: string[] = [];
  for (const [i, file] of files.entries()) {
    const { size } = await stat(file);
    await checkComplete(file, size);
    shards.push(`${names[i]} ${size}`);
  }
  const told = new Set<number>();
  return {
    access: "stream",
    description: files.length === 1 ? `the shard ${files[0]}` : `${files.length} shards from ${files[0]} on`,
    fingerprint: fingerprintOf("webdataset", shards),
    shards: files.length,
    restartable: true,
    open(shard) {
      const file = files[shard]!;
      const tell = told.has(shard) ? () => {} : log;
      return tarSamples(file, names[shard]!, (message) => {
        told.add(shard);
        tell(message);
      });
    },
  };
}

/**
 * Finds archives that are cut short before anything runs. A complete tar is made of blocks of 512 bytes and ends in zeros, so one
 * short read shows it; a file without these zeros is read through, which names the fault. A cut in a tar.gz shows when it is read.
 */
async function checkComplete(file: string, size: number): Promise<void> {
  const tar = /\.tar$/i.test(file);
  if (size === 0) throw new Error(`webDataset: ${file}: the archive is empty`);
  if (tar && size % 512 !== 0) {
    const bytes = `its ${size} bytes are no multiple of 512`;
    throw new Error(`webDataset: ${file}: the archive is cut short, or no tar: ${bytes}`);
  }
  if (!tar) return;
  const handle = await nodeModule("node:fs/promises").open(file);
  try {
    const { buffer } = await handle.read(Buffer.alloc(512), 0, 512, size - 512);
    if (buffer.every((byte) => byte === 0)) return;
  } finally {
    await handle.close();
  }
  for await (const _ of tarMembers(file));
}

/** The files' paths below the deepest folder that holds all of them, with "/". */
function namesBelow(files: string[]): string[] {
  const { resolve, sep } = nodeModule("node:path");
  const paths = files.map((file) => resolve(file).split(sep));
  const shortest = paths.reduce((least, { length }) => Math.min(least, length), Infinity) - 1;
  let shared = 0;
  while (shared < shortest && paths.every((path) => path[shared] === paths[0]![shared])) shared++;
  return paths.map((path) => path.slice(shared).join("/"));
}
