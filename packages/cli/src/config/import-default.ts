import { createHash } from "node:crypto";
import { pathToFileURL } from "node:url";
import { messageOf } from "../shared/message-of.js";
import { readSmallFile } from "../shared/regular-file.js";

/** A longer file is no module that somebody wrote. */
const maxBytes = 2 ** 26;

/** Whether a path is that of a user's module. */
export const isModulePath = (path: string): boolean => /\.[cm]?js$/.test(path);

/**
 * The default export of a user's module.
 *
 * @throws saying why there is none; the caller adds the option and the path
 */
export async function importDefault(path: string): Promise<unknown> {
  await readModule(path);
  try {
    return ((await import(pathToFileURL(path).href)) as { default?: unknown }).default;
  } catch (error) {
    throw new Error(`could not be imported (${messageOf(error)})`, { cause: error });
  }
}

/** SHA-256 of a user's module. The files that it imports are not in it. @throws as `importDefault` does */
export async function hashModule(path: string): Promise<string> {
  return createHash("sha256")
    .update(await readModule(path))
    .digest("hex");
}

/** Node would wait for ever on a FIFO. */
async function readModule(path: string): Promise<Uint8Array> {
  try {
    return await readSmallFile(path, maxBytes);
  } catch (error) {
    const message = messageOf(error);
    throw new Error(message.startsWith(`${path}: `) ? message.slice(path.length + 2) : message, {
      cause: error,
    });
  }
}
