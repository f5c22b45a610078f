import { writeFileAtomically } from "../../io/write-file-atomically.js";
import { nodeModule } from "../../shared/node-modules.js";

/**
 * A model's folder in the cache, laid out as huggingface_hub does, so that Python and we use what the other put there:
 * `blobs/<etag>` are the files, `snapshots/<commit>/<path>` are links to them, `refs/<revision>` holds a commit.
 */
export interface RepoCache {
  /** `models--<owner>--<name>` in the cache. */
  folder: string;
  /** The folder of a commit. */
  snapshot(commit: string): string;
  /** The commit that a revision meant when it was last asked for, or undefined. */
  commitOf(revision: string): Promise<string | undefined>;
  rememberCommit(revision: string, commit: string): Promise<void>;
  blob(etag: string): string;
  /** Puts a blob into a snapshot under its path. */
  link(commit: string, path: string, etag: string): Promise<void>;
}

export const isCommit = (text: string): boolean => /^[0-9a-f]{40}$/.test(text);

/** Whether a path from a listing, or a revision, stays inside the folder that it is joined to. */
export const isInside = (path: string): boolean =>
  path !== "" &&
  !/[\\\0]|^[A-Za-z]:/.test(path) &&
  path.split("/").every((part) => part !== "" && part !== "." && part !== "..");

export function repoCache(cacheDir: string, id: string): RepoCache {
  const { dirname, join, relative } = nodeModule("node:path");
  const { copyFile, lstat, mkdir, readFile, rename, rm, symlink } = nodeModule("node:fs/promises");
  const folder = join(cacheDir, ["models", ...id.split("/")].join("--"));
  const ref = (revision: string) => join(folder, "refs", ...revision.split("/"));
  const blob = (etag: string) => join(folder, "blobs", etag);
  const snapshot = (commit: string) => join(folder, "snapshots", commit);
  return {
    folder,
    blob,
    snapshot,
    commitOf: async (revision) => {
      if (isCommit(revision)) return revision;
      const text = await readFile(ref(revision), "utf8").catch(() => "");
      return isCommit(text.trim()) ? text.trim() : undefined;
    },
    rememberCommit: async (revision, commit) => {
      if (!isCommit(revision)) await writeFileAtomically(ref(revision), commit);
    },
    link: async (commit, path, etag) => {
      const place = join(snapshot(commit), ...path.split("/"));
      await mkdir(dirname(place), { recursive: true });
      const temporary = `${place}.${nodeModule("node:crypto").randomUUID()}.tmp`;
      try {
        // Relative, so that the cache can be moved.
        await symlink(relative(dirname(place), blob(etag)), temporary);
      } catch {
        // Windows lets few users make links.
        await copyFile(blob(etag), temporary);
      }
      try {
        if ((await lstat(place).catch(() => undefined))?.isDirectory())
          throw new Error(`${place} is a folder`);
        await rename(temporary, place);
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
    },
  };
}
