import { isProcessRunning } from "../../shared/is-process-running.js";
import { nodeModule } from "../../shared/node-modules.js";
import { processTag } from "../../shared/process-tag.js";

/** One file of a repository, as the hub's answer to HEAD says. */
export interface RemoteFile {
  /** Where its bytes come from. */
  url: string;
  /** huggingface_hub's name of the blob: the SHA-256 of a large file, the git hash of a small one. */
  etag: string;
  size: number;
  /** Whether `url` is the hub's own, which gets the token. */
  withToken: boolean;
}

export interface DownloadOptions {
  token: string | undefined;
  /** Called with the bytes of the file that are there. */
  onBytes: (bytes: number) => void;
  /** Milliseconds without a byte after which the connection counts as cut. */
  stallTimeout?: number;
  /** Milliseconds before the first retry; each further one waits twice as long. */
  retryDelay?: number;
}

/** Attempts in a row that bring no byte. */
const ATTEMPTS = 5;

/**
 * Downloads a file to its place in the cache, whole or not at all. A cut connection is taken up again where it was cut, by this
 * process and by a later one: what came lies beside the place as `<etag>.<process>.incomplete`. Two processes that download the
 * same file do not disturb each other. What came is compared with the size and the hash that the hub promised.
 *
 * @throws one line that names the file, when the hub does not answer, sends another file or the disk is full
 */
export async function downloadBlob(
  what: string,
  remote: RemoteFile,
  place: string,
  options: DownloadOptions,
): Promise<void> {
  const { mkdir, rename, rm } = nodeModule("node:fs/promises");
  await mkdir(nodeModule("node:path").dirname(place), { recursive: true });
  const incomplete = await claimIncomplete(place);
  try {
    await fetchWithRetries(what, remote, incomplete, options);
    const hash = await hashOf(incomplete, remote);
    if (hash !== undefined && hash !== remote.etag) {
      await rm(incomplete, { force: true });
      throw new Error(
        `${what}: what came is damaged: its hash is ${hash}, the hub's is ${remote.etag}; try again`,
      );
    }
    await rename(incomplete, place);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG") {
      await rm(incomplete, { force: true });
      throw new Error(`${what}: could not be written to ${place} (${message})`, { cause: error });
    }
    // Left for whoever tries next, this process included.
    await rename(incomplete, `${place}.incomplete`).catch(() => {});
    throw error;
  }
}

/** Takes over what a former download of this file left, so that nobody else does; else names a new file. */
async function claimIncomplete(place: string): Promise<string> {
  const { readdir, rename } = nodeModule("node:fs/promises");
  const { basename, dirname, join } = nodeModule("node:path");
  const own = `${place}.${processTag()}.${nodeModule("node:crypto").randomUUID()}.incomplete`;
  const [machine] = processTag().split("-");
  for (const name of await readdir(dirname(place))) {
    if (!name.startsWith(`${basename(place)}.`) || !name.endsWith(".incomplete")) continue;
    const rest = name.slice(basename(place).length + 1, -"incomplete".length);
    const [, where, pid] = /^([0-9a-f]{8})-(\d+)\.[0-9a-f-]{36}\.$/.exec(rest) ?? [];
    const free = rest === "" || (where === machine && !isProcessRunning(Number(pid)));
    if (!free) continue;
    try {
      await rename(join(dirname(place), name), own);
      return own;
    } catch {
      // Somebody else was faster.
    }
  }
  return own;
}

async function fetchWithRetries(
  what: string,
  remote: RemoteFile,
  path: string,
  options: DownloadOptions,
): Promise<void> {
  const { open } = nodeModule("node:fs/promises");
  const file = await open(path, "a+");
  try {
    let failures = 0;
    for (;;) {
      const before = (await file.stat()).size;
      if (before > remote.size) await file.truncate(0);
      else if (before === remote.size) break;
      try {
        await append(what, remote, file, before > remote.size ? 0 : before, options);
      } catch (error) {
        if (!isTransient(error)) throw error;
        failures = (await file.stat()).size > before ? 1 : failures + 1;
        if (failures >= ATTEMPTS) throw error;
        await new Promise((resolve) =>
          setTimeout(resolve, (options.retryDelay ?? 500) * 2 ** (failures - 1)),
        );
      }
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Failures that may go away by themselves: a cut or refused connection, and an answer of a busy server. */
const isTransient = (error: unknown): boolean => (error as { transient?: boolean }).transient === true;

const transient = (message: string, cause?: unknown): Error =>
  Object.assign(new Error(message, { cause }), { transient: true });

async function append(
  what: string,
  remote: RemoteFile,
  file: import("node:fs/promises").FileHandle,
  from: number,
  { token, onBytes, stallTimeout = 60_000 }: DownloadOptions,
): Promise<void> {
  const abort = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const awake = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => abort.abort(new Error(`no byte for ${stallTimeout / 1000} s`)), stallTimeout);
  };
  try {
    awake();
    const response = await fetch(remote.url, {
      signal: abort.signal,
      headers: {
        // Compressed answers have another length.
        "Accept-Encoding": "identity",
        ...(from > 0 && { Range: `bytes=${from}-` }),
        ...(token && remote.withToken && { Authorization: `Bearer ${token}` }),
      },
    }).catch((error: unknown) => {
      throw transient(`${what}: the connection failed (${causeOf(error)})`, error);
    });
    if (response.status === 429 || response.status >= 500) {
      throw transient(`${what}: the server answered ${response.status}`);
    }
    if (!response.ok || !response.body) throw new Error(`${what}: the server answered ${response.status}`);
    const range = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "");
    let position = response.status === 206 && Number(range?.[1]) === from ? from : 0;
    // The server sends the whole file, from its first byte.
    if (position !== from) {
      if (response.status === 206)
        throw new Error(`${what}: asked for bytes from ${from}, got ${range?.[0]}`);
      await file.truncate(0);
    }
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        throw transient(
          `${what}: the connection was cut at ${position} of ${remote.size} bytes (${causeOf(error)})`,
          error,
        );
      });
      if (done) break;
      awake();
      if (position + value.length > remote.size) {
        await reader.cancel().catch(() => {});
        await file.truncate(0);
        throw new Error(`${what}: expected ${remote.size} bytes, got more`);
      }
      await file.appendFile(value);
      position += value.length;
      onBytes(position);
    }
    if (position < remote.size) {
      throw transient(`${what}: the connection ended at ${position} of ${remote.size} bytes`);
    }
  } finally {
    clearTimeout(timer);
  }
}

/** The hash of the kind that the etag is, or undefined where it is none. */
async function hashOf(path: string, { etag, size }: RemoteFile): Promise<string | undefined> {
  const { createHash } = nodeModule("node:crypto");
  const hash = /^[0-9a-f]{64}$/.test(etag)
    ? createHash("sha256")
    : /^[0-9a-f]{40}$/.test(etag) && createHash("sha1");
  if (!hash) return undefined;
  // A git blob's hash begins with its kind and length.
  if (etag.length === 40) hash.update(`blob ${size}\0`);
  for await (const chunk of nodeModule("node:fs").createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/** The cause below fetch's "fetch failed". */
export function causeOf(error: unknown): string {
  const { cause, message } = error as Error;
  if (cause instanceof Error) return (cause as NodeJS.ErrnoException).code ?? cause.message;
  return message;
}
