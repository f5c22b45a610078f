import { mkdir, open, readdir, readFile, rm, rmdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  identifyProcess,
  isRunning,
  type ProcessIdentity,
  processIdentitySchema,
} from "./process-identity.js";

/** The right to write to a run folder. */
export interface RunLock {
  /** The process that held the folder before and ended without giving it back. */
  staleOwner?: ProcessIdentity;
  /** Gives the folder back. */
  release(): Promise<void>;
  /** Deletes everything that was written into the folder, and the folders that were made for the lock. */
  discard(): Promise<void>;
}

const lockName = /^lock\.(\d+)$/;

/**
 * Takes a run folder for this process, so that only one run writes to it.
 *
 * The lock is the file `lock.<n>` with the owner's process id, host and start time. A lock of a process that has ended is
 * taken over: of several that try, the one that makes `lock.<n + 1>` wins.
 *
 * @throws if a process that runs holds the folder, or a process of another host or container, of which nobody here can tell
 */
export async function lockRun(folder: string): Promise<RunLock> {
  const made = await mkdir(folder, { recursive: true });
  const before = await locksIn(folder);
  refuseOwned(folder, before);
  const number = Math.max(0, ...before.map((lock) => lock.number)) + 1;
  const own = join(folder, `lock.${number}`);
  await createLock(own).catch((error: NodeJS.ErrnoException) => {
    // A run that could not start may have deleted the folder since it was made here.
    if (error.code === "ENOENT") throw new Error(`${folder}: another process has just deleted this folder`);
    if (error.code !== "EEXIST") throw new Error(`${own}: could not be written (${error.message})`);
    throw isStarting(folder);
  });
  // Between the look and the file, another process may have taken and left the folder, and a third have taken it.
  const others = (await locksIn(folder)).filter((lock) => lock.number !== number);
  try {
    refuseOwned(folder, others);
  } catch (error) {
    await rm(own, { force: true });
    throw error;
  }
  for (const lock of others) await rm(lock.path, { force: true });
  const there = new Set(await readdir(folder));
  const release = () => rm(own, { force: true });
  return {
    staleOwner: before.at(-1)?.owner,
    release,
    discard: async () => {
      const written = (await readdir(folder)).filter((name) => !there.has(name) && !name.startsWith("lock."));
      for (const name of written) await rm(join(folder, name), { recursive: true, force: true });
      await release();
      if (made !== undefined) await removeEmptyFolders(folder, made);
    },
  };
}

/** Removes a folder and those above it, up to `top`, as far as they are empty: another process may have taken one by now. */
async function removeEmptyFolders(folder: string, top: string): Promise<void> {
  for (let path = folder; path.length >= top.length; path = dirname(path)) {
    try {
      await rmdir(path);
    } catch {
      return;
    }
  }
}

interface LockFile {
  number: number;
  path: string;
  /** Undefined where the file does not name a process. */
  owner?: ProcessIdentity;
  /** Milliseconds since it was written. */
  age: number;
}

/** A lock that names no process is one that is being written, for as long as this; then its writer was killed at it. */
const writingMs = 5000;

const isStarting = (folder: string): Error =>
  new Error(`${folder}: another process is starting to write to this run`);

function refuseOwned(folder: string, locks: LockFile[]): void {
  for (const { owner, path, age } of locks) {
    if (!owner) {
      if (age < writingMs) throw isStarting(folder);
      continue;
    }
    const running = isRunning(owner);
    if (running === true) {
      throw new Error(`${folder}: process ${owner.pid} is writing to this run; wait for it, or stop it`);
    }
    if (running === "unknown") {
      throw new Error(
        `${folder}: process ${owner.pid} of host ${owner.host} holds this run; if it has ended, delete ${path}`,
      );
    }
  }
}

async function locksIn(folder: string): Promise<LockFile[]> {
  const locks: LockFile[] = [];
  for (const name of await readdir(folder)) {
    const number = lockName.exec(name)?.[1];
    if (number === undefined) continue;
    const path = join(folder, name);
    const [text, stats] = [
      await readFile(path, "utf8").catch(() => undefined),
      await stat(path).catch(() => undefined),
    ];
    // Its owner gave it back since.
    if (text === undefined || stats === undefined) continue;
    locks.push({ number: Number(number), path, owner: parseOwner(text), age: Date.now() - stats.mtimeMs });
  }
  return locks.sort((a, b) => a.number - b.number);
}

function parseOwner(text: string): ProcessIdentity | undefined {
  try {
    return processIdentitySchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Makes a file, and fails where there is one already. Not by a link to a whole file: some file systems have no links. */
async function createLock(path: string): Promise<void> {
  const file = await open(path, "wx");
  try {
    await file.writeFile(`${JSON.stringify(identifyProcess())}\n`);
    await file.sync();
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}
