import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { describe } from "../shared/check-options.js";
import { openRegularFile, readInto } from "../shared/regular-file.js";

/** An image as the library `datasets` saves it. */
export interface SavedImage {
  bytes: Uint8Array;
  name: string;
}

/**
 * The Parquet files of a data set of the Hugging Face hub: a file, or those of a folder or of its `data`, in order of their names.
 *
 * @returns undefined where there are none
 */
export async function parquetFiles(path: string): Promise<string[] | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile()) return path.endsWith(".parquet") ? [path] : undefined;
  for (const folder of [path, join(path, "data")]) {
    const names = await readdir(folder).catch(() => []);
    const files = names.filter((name) => name.endsWith(".parquet")).sort();
    if (files.length > 0) return files.map((name) => join(folder, name));
  }
  return undefined;
}

/**
 * Rows of Parquet files, a row group at a time.
 *
 * @param columns those that are read; the others are not touched
 * @throws naming the file that is broken or has no such column
 */
export async function* readParquet(
  caller: string,
  files: readonly string[],
  columns: string[],
): AsyncGenerator<Record<string, unknown>> {
  for (const path of files) {
    const { file, size } = await openRegularFile(path).catch((error: Error) => {
      throw new Error(`${caller}: ${error.message}`, { cause: error });
    });
    try {
      const source = bufferOf(path, { size, read: (into, from) => readInto(file, into, from, path) });
      const metadata = await named(caller, path, () => parquetMetadataAsync(source));
      checkColumns(caller, path, { metadata, columns });
      let rowStart = 0;
      for (const group of metadata.row_groups) {
        const rowEnd = rowStart + Number(group.num_rows);
        const rows = await named(caller, path, () =>
          // Images are bytes, which must not be read as text.
          parquetReadObjects({ file: source, metadata, columns, rowStart, rowEnd, utf8: false }),
        );
        yield* rows;
        rowStart = rowEnd;
      }
    } finally {
      await file.close();
    }
  }
}

/** @throws unless it is an image with its bytes */
export function savedImage(where: string, value: unknown): SavedImage {
  const { bytes, path } = (value ?? {}) as { bytes?: unknown; path?: unknown };
  if (!(bytes instanceof Uint8Array)) {
    throw new Error(`${where} must be an image with its bytes, got ${describe(value)}`);
  }
  return { bytes, name: typeof path === "string" ? path : where };
}

function bufferOf(
  path: string,
  { size, read }: { size: number; read: (into: Uint8Array, from: number) => Promise<void> },
): AsyncBuffer {
  return {
    byteLength: size,
    slice: async (start, end = size) => {
      if (!(start >= 0 && start <= end && end <= size)) {
        throw new Error(`asked for bytes ${start} to ${end} of ${size} in ${path}`);
      }
      const bytes = new Uint8Array(end - start);
      await read(bytes, start);
      return bytes.buffer;
    },
  };
}

async function named<T>(caller: string, path: string, f: () => Promise<T>): Promise<T> {
  try {
    return await f();
  } catch (error) {
    throw new Error(`${caller}: ${path}: cannot be read as Parquet: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function checkColumns(
  caller: string,
  path: string,
  { metadata, columns }: { metadata: FileMetaData; columns: string[] },
): void {
  const known = new Set(metadata.row_groups[0]?.columns.map(({ meta_data }) => meta_data?.path_in_schema[0]));
  const missing = columns.find((column) => !known.has(column));
  if (missing !== undefined) {
    const names = [...known].slice(0, 12).join(", ");
    throw new Error(`${caller}: ${path}: expected a column ${missing}, got ${names || "no rows"}`);
  }
}
