import { parseJson } from "../shared/json.js";
import { readSmallFile } from "../shared/regular-file.js";
import { shown } from "../shared/shown.js";

/** Tokenizers are the largest of the small files, with some 30 MB. */
const largestFile = 200_000_000;

/**
 * Reads a file of a model folder, if it is there. Node only.
 *
 * @param folder the model folder
 * @param name the file in it
 * @returns its bytes, or undefined where there is no such file
 * @throws where it is not a regular file, or longer than 200 MB
 */
export async function readModelFile(folder: string, name: string): Promise<Uint8Array | undefined> {
  try {
    return await readSmallFile(`${folder}/${name}`, largestFile);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Reads a JSON file of a model folder. Node only.
 *
 * @param folder the model folder
 * @param name the file in it, for example `config.json`
 * @param what who reads it, for the error
 * @throws if it is missing, or not a JSON object
 */
export async function readModelJson(
  folder: string,
  name: string,
  what: string,
): Promise<Record<string, unknown>> {
  const bytes = await readModelFile(folder, name);
  const path = `${folder}/${name}`;
  if (!bytes) throw new Error(`${what}: expected a model folder with ${name}, but ${path} does not exist`);
  return parseJsonObject(bytes, path, what);
}

/**
 * Parses the bytes of a JSON file. Nesting is bounded, and a key that is there twice is refused.
 *
 * @param path the file's name, for the error
 * @param what who reads it, for the error
 * @throws if it is not a JSON object
 */
export function parseJsonObject(bytes: Uint8Array, path: string, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = parseJson(bytes);
  } catch (error) {
    throw new Error(`${what}: ${path} is not valid JSON: ${(error as Error).message}`, { cause: error });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error(`${what}: ${path} must hold a JSON object, got ${shown(value)}`);
  }
  return value as Record<string, unknown>;
}
