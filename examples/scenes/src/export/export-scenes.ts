import { mkdir, readdir } from "node:fs/promises";
import {
  heldOutStyles,
  identities,
  knownIdentities,
  seenStyles,
  styles,
  unknownIdentities,
} from "../scenes/factors.js";
import { type Split, scenePairs, sceneSet } from "../scenes/splits.js";
import { loadSprites } from "../scenes/sprites.js";
import { checkChoice, checkNumber, checkOptions } from "../shared/check-options.js";
import { writeClassFolder } from "./class-folder.js";
import { writeMMVP } from "./mmvp.js";
import { sceneRecords } from "./scene-records.js";
import { writeWebDataset } from "./webdataset.js";

export const formats = ["webdataset", "folder", "mmvp"] as const;
export type Format = (typeof formats)[number];
/** Names of lists of identities. */
export const identityLists = { all: identities, known: knownIdentities, unknown: unknownIdentities };
/** Names of lists of styles. */
export const styleLists = { all: styles, seen: seenStyles, "held-out": heldOutStyles };

export interface ExportOptions {
  /** A folder that is empty or not there yet. */
  out: string;
  format: Format;
  split: Split;
  /** Scenes, or with `mmvp` pairs: a multiple of 16 then. */
  count: number;
  /** The generator's seed, an integer in [0, 2^53). Default 0. */
  seed?: number;
  /** Width and height in pixels. Default 32. */
  size?: number;
  /** Default "all". */
  identities?: keyof typeof identityLists;
  /** Default "all". */
  styles?: keyof typeof styleLists;
}

/**
 * Writes scenes as files that other programs read: WebDataset shards, a folder with a folder for each identity, or pairs in the form of
 * MMVP-VLM.
 *
 * @returns a line that names the files written
 * @throws on an unknown option, a value out of range, and a folder that is not empty
 */
export async function exportScenes(options: ExportOptions): Promise<string> {
  const caller = "export";
  const checked = checkOptions(caller, options, {
    out: true,
    format: true,
    split: true,
    count: true,
    seed: true,
    size: true,
    identities: true,
    styles: true,
  });
  const { out, split, count, seed = 0, size = 32 } = checked;
  const format = checkChoice(`${caller}: format`, checked.format, formats);
  const pool = {
    identities:
      identityLists[checkChoice(`${caller}: identities`, checked.identities ?? "all", names(identityLists))],
    styles: styleLists[checkChoice(`${caller}: styles`, checked.styles ?? "all", names(styleLists))],
  };
  checkNumber(`${caller}: count`, count, { min: 1, integer: true });
  if (format === "mmvp" && count % 16 !== 0) {
    throw new RangeError(
      `${caller}: count must be a multiple of 16 for mmvp, pairs of eight factors in one style and in two, got ${count}`,
    );
  }
  await checkEmpty(out);
  const sprites = await loadSprites();
  const common = { split, seed, size, sprites, ...pool };
  if (format === "mmvp") {
    const pairs = scenePairs({ ...common, perFactor: count / 8 });
    await mkdir(out, { recursive: true });
    await writeMMVP(out, pairs);
    return `${out}: ${count} pairs of ${split}, seed ${seed}`;
  }
  const set = sceneSet({ ...common, count });
  const records = sceneRecords(set.scenes, { split, seed });
  await mkdir(out, { recursive: true });
  await (format === "folder" ? writeClassFolder : writeWebDataset)(out, set, records);
  return `${out}: ${count} scenes of ${split}, seed ${seed}`;
}

const names = <K extends string>(lists: Record<K, unknown>) => Object.keys(lists) as K[];

async function checkEmpty(folder: string): Promise<void> {
  let content: string[];
  try {
    content = await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw new Error(`export: ${folder}: ${(error as Error).message}`);
  }
  if (content.length > 0) throw new Error(`export: ${folder} must be empty, it holds ${content[0]}`);
}
