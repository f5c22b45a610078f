import type { Dirent } from "node:fs";
import { hasImageExtension } from "../decode/image-format.js";
import { checkOptions } from "../shared/check-options.js";
import { nodeModule } from "../shared/node-modules.js";
import { fingerprintOf, type IndexedDataset, sortedLabels } from "./dataset.js";
import { type Log, SkippedFiles } from "./skipped-files.js";

export interface ImageFolderOptions {
  /** Is told, on one line, which files are not read. Default `console.warn`. */
  log?: Log;
}

/** A folder was read and holds no image. */
export class NoImages extends Error {}

/**
 * The images in a folder and the folders below it, sorted by path. An image's name is its path below the folder, with "/"; its
 * label is the first folder of that path, as in torchvision's `ImageFolder`.
 *
 * Symbolic links are followed, a folder that is reached twice is read once. Hidden files and files without an image's ending are
 * not read; they are counted and named in `log`.
 *
 * @throws if the folder is missing, is no folder, cannot be read, or holds no image
 *
 * @example
 * const dataset = await imageFolder("photos");
 */
export async function imageFolder(folder: string, options?: ImageFolderOptions): Promise<IndexedDataset> {
  const { log = console.warn } = checkOptions("imageFolder", options, { log: "function" });
  const { join } = nodeModule("node:path");
  const skipped = new SkippedFiles();
  const names = await findImages(folder, skipped);
  if (names.length === 0) {
    const others = skipped.toString();
    throw new NoImages(`imageFolder: ${folder} holds no images${others && `; not read: ${others}`}`);
  }
  skipped.report(`imageFolder: ${folder}`, log);
  const labelOf = (name: string) => (name.includes("/") ? name.slice(0, name.indexOf("/")) : undefined);
  return {
    access: "random",
    description: `the folder ${folder}`,
    fingerprint: fingerprintOf("folder", names),
    length: names.length,
    labels: sortedLabels(names.map(labelOf)),
    entry(index) {
      const name = names[index]!;
      return { name, content: { path: join(folder, name) }, label: labelOf(name) };
    },
  };
}

/** Paths of images below a folder, with "/", in the order of their UTF-16 codes, which is the same on every machine. */
async function findImages(root: string, skipped: SkippedFiles): Promise<string[]> {
  const fs = nodeModule("node:fs/promises");
  const { join } = nodeModule("node:path");
  const visited = new Set<string>();
  const names: string[] = [];

  /** @returns whether the folder was not reached before */
  async function visit(below: string): Promise<boolean> {
    const folder = join(root, below);
    const real = await fs.realpath(folder);
    if (visited.has(real)) {
      skipped.add("folders that were reached before", below);
      return false;
    }
    visited.add(real);
    const entries = await fs.readdir(folder, { withFileTypes: true });
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const entry of entries) {
      const name = below ? `${below}/${entry.name}` : entry.name;
      if (entry.name.startsWith(".")) skipped.add("hidden", name);
      else if (await isNotUnicode(name, entry.name)) skipped.add("with a name that is not UTF-8", name);
      else await place(name, entry);
    }
    return true;
  }

  /** Node replaces bytes that are not UTF-8 by U+FFFD, and then finds no such file. */
  const isNotUnicode = async (name: string, own: string) =>
    own.includes("\uFFFD") &&
    !(await fs.lstat(join(root, name)).then(
      () => true,
      () => false,
    ));

  async function place(name: string, entry: Dirent): Promise<void> {
    const target = entry.isSymbolicLink() ? await fs.stat(join(root, name)).catch(() => undefined) : entry;
    if (!target) skipped.add("links that lead nowhere", name);
    else if (target.isDirectory()) {
      const before = names.length;
      const isNew = await visit(name);
      // A label that no image has.
      if (isNew && !name.includes("/") && names.length === before)
        skipped.add("folders without an image", name);
    } else if (!target.isFile()) skipped.add("neither file nor folder", name);
    else if (hasImageExtension(name)) names.push(name);
    else skipped.add("without an image's ending", name);
  }

  const stat = await fs.stat(root).catch(() => undefined);
  if (!stat) throw new Error(`imageFolder: ${root} does not exist`);
  if (!stat.isDirectory()) throw new Error(`imageFolder: ${root} is no folder`);
  try {
    await visit("");
  } catch (error) {
    throw new Error(`imageFolder: ${root} cannot be read: ${(error as Error).message}`);
  }
  return names.sort();
}
