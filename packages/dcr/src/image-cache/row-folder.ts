import { parseSafetensors, serializeSafetensors, writeFileAtomically } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { toHex } from "./hash-images.js";
import type { ImageRow, RowStore } from "./image-cache.js";
import { rowsOfTensor } from "./rows-of-tensor.js";

/** How values are stored on disk. */
export type StoredPrecision = "float16" | "float32";

export interface RowFolderOptions {
  folder: string;
  /** Bytes of files that are kept; the least recently used make room. Each process that writes may exceed it by a tenth for a while. */
  maxBytes: number;
  precision: StoredPrecision;
}

/** A file is the SHA-256 digest of a safetensors file, then that file. */
const digestBytes = 32;
const extension = ".row";
/** No process takes an hour to write a row. */
const abandonedMs = 3_600_000;

/**
 * Rows as files in a folder, which several processes may share: a file is written whole or not at all, and one that is damaged or that
 * another process deleted counts as missing. Node only.
 */
export function createRowFolder({ folder, maxBytes, precision }: RowFolderOptions): RowStore {
  const { mkdir, readdir, readFile, rm, stat, utimes } = nodeFiles();
  let total: number | undefined;
  /** Bytes that this process wrote since it last looked: the others write too. */
  let unseen = 0;
  const pathOf = (key: string) => `${folder}/${key.slice(0, 2)}/${key}${extension}`;

  /** The rows that are there. Deletes what a process left that was killed while it wrote. */
  const listRows = async () => {
    await mkdir(folder, { recursive: true });
    const names = await readdir(folder, { recursive: true });
    const rows: { path: string; bytes: number; used: number }[] = [];
    for (const name of names) {
      const path = `${folder}/${name}`;
      // Another process may have deleted it since.
      const found = await stat(path).catch(() => undefined);
      if (!found?.isFile()) continue;
      if (name.endsWith(extension)) rows.push({ path, bytes: found.size, used: found.mtimeMs });
      else if (name.endsWith(".tmp") && Date.now() - found.mtimeMs > abandonedMs) {
        await rm(path, { force: true });
      }
    }
    return rows;
  };

  /** Counts what is there, and deletes the oldest files until a tenth of the room is free. */
  const makeRoom = async () => {
    const files = (await listRows()).sort((a, b) => a.used - b.used);
    let bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    for (const file of bytes > maxBytes ? files : []) {
      if (bytes <= 0.9 * maxBytes) break;
      await rm(file.path, { force: true });
      bytes -= file.bytes;
    }
    total = bytes;
    unseen = 0;
  };

  return {
    read: async (key) => {
      const path = pathOf(key);
      const file = await readFile(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return undefined;
        throw new Error(`${path}: could not be read (${error.message})`, { cause: error });
      });
      if (!file) return undefined;
      const row = await decode(file);
      // Computed and written again.
      if (!row) await rm(path, { force: true });
      else {
        const now = new Date();
        await utimes(path, now, now).catch(() => {});
      }
      return row;
    },
    write: async (key, row) => {
      const file = await encode(row, precision);
      await writeFileAtomically(pathOf(key), file);
      unseen += file.length;
      total = total === undefined ? undefined : total + file.length;
      if (total === undefined || total > maxBytes || unseen > maxBytes / 10) await makeRoom();
      return (await decode(file))!;
    },
  };
}

async function encode({ values, shape }: ImageRow, precision: StoredPrecision): Promise<Uint8Array> {
  const row = tf.tensor(values, shape);
  const contents = await serializeSafetensors(
    { row },
    { dtype: precision === "float16" ? "F16" : "F32", finite: true },
  )
    .catch((error: Error) => {
      const wider = precision === "float16" ? '; cachePrecision "float32" holds larger values' : "";
      throw new Error(`createLatentEncoder: an image's moments cannot be kept in ${precision}${wider}`, {
        cause: error,
      });
    })
    .finally(() => row.dispose());
  const file = new Uint8Array(digestBytes + contents.length);
  file.set(new Uint8Array(await crypto.subtle.digest("SHA-256", contents)));
  file.set(contents, digestBytes);
  return file;
}

/** @returns undefined where the digest is not that of the contents */
async function decode(file: Uint8Array): Promise<ImageRow | undefined> {
  const contents = Uint8Array.from(file.subarray(digestBytes));
  const digest = await crypto.subtle.digest("SHA-256", contents);
  if (toHex(digest) !== toHex(Uint8Array.from(file.subarray(0, digestBytes)).buffer)) return undefined;
  const { row } = parseSafetensors(contents.buffer);
  const rows = tf.expandDims(row!, 0);
  row!.dispose();
  return (await rowsOfTensor(rows))[0];
}

// Asked for when it is first needed, and not by an import, so that bundlers for browsers find nothing to resolve.
function nodeFiles(): typeof import("node:fs/promises") {
  const files = globalThis.process?.getBuiltinModule?.("node:fs/promises");
  if (!files) throw new Error("createLatentEncoder: cacheFolder needs Node, which has files");
  return files;
}
