import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { createGunzip } from "node:zlib";
import { describe } from "../shared/check-options.js";

/** @throws naming what is missing, and what should be there */
export async function checkFile(caller: string, path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) throw new Error(`${caller}: ${path}: no such file`);
}

/** Checks that a data set names a file below its own folder, and none elsewhere. */
export function checkBelow(where: string, path: unknown): string {
  const isBelow =
    typeof path === "string" &&
    path.split(/[\\/]/).every((part) => part !== "" && part !== "." && part !== "..");
  if (isBelow) return path;
  throw new Error(`${where} must name a file below its folder, got ${describe(path)}`);
}

/** Checks that no two entries of a data set are equal: a list that was put together wrongly would count one image twice. */
export function checkDifferent(names: readonly string[], where: (place: number) => string): void {
  const places = new Map<string, number>();
  for (const [i, name] of names.entries()) {
    const first = places.get(name);
    if (first !== undefined)
      throw new Error(`${where(i)} must differ from ${where(first)}, got ${describe(name)} twice`);
    places.set(name, i);
  }
}

/** The lines of a small text file that are not empty. */
export async function readLines(caller: string, path: string): Promise<string[]> {
  await checkFile(caller, path);
  return (await readFile(path, "utf8"))
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
}

/** Text as JSON, with or without a byte order mark. @throws with the name and the reason, where it is none */
export function parseFile(name: string, text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    throw new Error(`${name} is not valid JSON: ${(error as Error).message.replace(/\s+/g, " ")}`, {
      cause: error,
    });
  }
}

/** The file, or the same with `.gz`. */
export async function plainOrGzip(caller: string, folder: string, name: string): Promise<string> {
  const path = join(folder, name);
  for (const one of [path, `${path}.gz`]) {
    if ((await stat(one).catch(() => undefined))?.isFile()) return one;
  }
  throw new Error(`${caller}: ${path}: no such file, with or without .gz`);
}

/**
 * Reads a file in records of one length, after a header; unpacks it where its name ends in `.gz`.
 *
 * @throws naming the file, where it ends within a record or the header, and where `checkHeader` throws
 */
export async function* readRecords(
  caller: string,
  path: string,
  {
    record,
    header = 0,
    checkHeader,
  }: { record: number; header?: number; checkHeader?: (header: Buffer) => void },
): AsyncGenerator<Buffer> {
  const file = createReadStream(path);
  const stream = path.endsWith(".gz") ? file.pipe(createGunzip()) : file;
  file.on("error", (error) => stream.destroy(error));
  let rest: Buffer = Buffer.alloc(0);
  let started = header === 0;
  try {
    for await (const chunk of stream) {
      rest = Buffer.concat([rest, chunk as Buffer]);
      let at = 0;
      if (!started && rest.length >= header) {
        checkHeader?.(rest.subarray(0, header));
        started = true;
        at = header;
      }
      if (!started) continue;
      for (; at + record <= rest.length; at += record) yield rest.subarray(at, at + record);
      rest = rest.subarray(at);
    }
  } catch (error) {
    throw new Error(`${caller}: ${path}: ${(error as Error).message}`, { cause: error });
  } finally {
    file.destroy();
  }
  if (!started || rest.length > 0)
    throw new Error(`${caller}: ${path} ends within a record of ${record} bytes`);
}
