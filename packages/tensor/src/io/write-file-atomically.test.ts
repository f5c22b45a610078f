import { execFile } from "node:child_process";
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stageFile, writeFileAtomically } from "./write-file-atomically.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "write-file-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("writeFileAtomically", () => {
  it("replaces a file, from a string, bytes or chunks, and makes the folders on the way", async () => {
    const path = join(folder, "a", "b", "file");
    await writeFileAtomically(path, "ün");
    expect(await readFile(path, "utf8")).toBe("ün");
    await writeFileAtomically(path, new Uint8Array([65, 66]));
    expect(await readFile(path, "utf8")).toBe("AB");
    await writeFileAtomically(
      path,
      (async function* () {
        yield new Uint8Array([65]);
        yield new Uint8Array(0);
        yield new Uint8Array([66, 67]);
      })(),
    );
    expect(await readFile(path, "utf8")).toBe("ABC");
    expect(await readdir(join(folder, "a", "b"))).toEqual(["file"]);
  });

  it("writers of one path do not disturb each other", async () => {
    const path = join(folder, "shared", "file");
    const contents = Array.from({ length: 8 }, (_, i) => String(i).repeat(100_000));
    await Promise.all(contents.map((text) => writeFileAtomically(path, text)));
    expect(contents).toContain(await readFile(path, "utf8"));
    expect(await readdir(join(folder, "shared"))).toEqual(["file"]);
  });

  it("stages files that take their places later, or never", async () => {
    const [first, second] = [join(folder, "staged", "first"), join(folder, "staged", "second")];
    await writeFileAtomically(first, "old");
    const staged = [await stageFile(first, "new"), await stageFile(second, "new")];
    expect(await readFile(first, "utf8")).toBe("old");
    await staged[0]!.commit();
    await staged[1]!.discard();
    expect(await readFile(first, "utf8")).toBe("new");
    expect(await readdir(join(folder, "staged"))).toEqual(["first"]);
  });

  it.skipIf(process.platform === "win32")("keeps the permissions of a file that was there", async () => {
    const path = join(folder, "private", "file");
    await writeFileAtomically(path, "old");
    for (const mode of [0o600, 0o640, 0o666, 0o444]) {
      await chmod(path, mode);
      await writeFileAtomically(path, String(mode));
      expect((await stat(path)).mode & 0o777).toBe(mode);
      expect(await readFile(path, "utf8")).toBe(String(mode));
    }
  });

  it.skipIf(process.platform === "win32")("writes through a symbolic link", async () => {
    const place = join(folder, "links");
    await mkdir(join(place, "real"), { recursive: true });
    await symlink(join("real", "file"), join(place, "first"));
    await symlink("first", join(place, "second"));
    for (const text of ["of a missing file", "of the file"]) {
      await writeFileAtomically(join(place, "second"), text);
      expect(await readFile(join(place, "real", "file"), "utf8")).toBe(text);
      expect((await lstat(join(place, "second"))).isSymbolicLink()).toBe(true);
    }
    expect(await readdir(join(place, "real"))).toEqual(["file"]);
    expect(await readdir(place)).toEqual(["first", "real", "second"]);
    await symlink("circle", join(place, "circle"));
    await expect(writeFileAtomically(join(place, "circle"), "x")).rejects.toThrow(
      /circle: could not be written \(its symbolic links lead in a circle\)/,
    );
  });

  it("writes names as long as the file system takes", async () => {
    for (const name of ["n".repeat(255), `${"ü".repeat(127)}n`, "😀".repeat(63)]) {
      const path = join(folder, "long", name);
      await writeFileAtomically(path, "x");
      await writeFileAtomically(path, "y");
      expect(await readFile(path, "utf8")).toBe("y");
    }
    expect(await readdir(join(folder, "long"))).toHaveLength(3);
  });

  it.skipIf(process.platform === "win32")("leaves a FIFO where it is", async () => {
    const path = join(folder, "fifo");
    await promisify(execFile)("mkfifo", [path]);
    await expect(writeFileAtomically(path, "x")).rejects.toThrow(
      /fifo: could not be written \(its place is taken by what is no file\)/,
    );
    expect((await lstat(path)).isFIFO()).toBe(true);
    await rm(path);
  });

  it("names the file when its place is taken", async () => {
    const file = join(folder, "plain");
    await writeFile(file, "");
    await expect(writeFileAtomically(join(file, "below"), "x")).rejects.toThrow(
      /plain\/below: could not be written \(E/,
    );
    await expect(writeFileAtomically(folder, "x")).rejects.toThrow(
      `${folder}: could not be written (a folder is in its place)`,
    );
  });

  it.skipIf(process.platform === "win32")(
    "leaves the old file, and nothing else, when the system stops the write half-way",
    async () => {
      // The shell's limit on file sizes: the write fails part-way, as on a full disk, with no need to fill one.
      const place = await mkdtemp(join(folder, "limit-"));
      const path = join(place, "model.bin");
      await writeFile(path, "old");
      const program = join(folder, "write.mjs");
      await build({
        entryPoints: [fileURLToPath(new URL("./write-file-atomically.ts", import.meta.url))],
        bundle: true,
        format: "esm",
        platform: "node",
        outfile: program,
        footer: {
          js: "await writeFileAtomically(process.argv[2], new Uint8Array(Number(process.argv[3])).fill(7)).then(() => console.log('written'), (error) => console.log(error.message));",
        },
      });
      const write = (bytes: number) =>
        new Promise<string>((resolve, reject) =>
          execFile(
            "sh",
            ["-c", 'ulimit -f 128 && exec "$@"', "sh", process.execPath, program, path, String(bytes)],
            (error, stdout) => (error ? reject(error) : resolve(stdout.trim())),
          ),
        );
      expect(await write(2_000_000)).toMatch(/model\.bin: could not be written \(EFBIG/);
      expect(await readdir(place)).toEqual(["model.bin"]);
      expect(await readFile(path, "utf8")).toBe("old");
      expect(await write(20_000)).toBe("written");
      expect((await readFile(path)).length).toBe(20_000);
    },
  );

  it.skipIf(process.platform === "win32")(
    "removes what processes left when they died, and no other file",
    async () => {
      const place = await mkdtemp(join(folder, "leftovers-"));
      const program = join(folder, "die.mjs");
      await build({
        entryPoints: [fileURLToPath(new URL("./write-file-atomically.ts", import.meta.url))],
        bundle: true,
        format: "esm",
        platform: "node",
        outfile: program,
        footer: {
          js: `await writeFileAtomically(process.argv[2], (async function* () {
          yield new Uint8Array(10);
          process.kill(process.pid, "SIGKILL");
          await new Promise(() => {});
        })());`,
        },
      });
      await new Promise((resolve) =>
        execFile(process.execPath, [program, join(place, "model.bin")], resolve),
      );
      const [leftover, ...more] = await readdir(place);
      expect([leftover?.endsWith(".tmp"), more]).toEqual([true, []]);
      // Of a process that runs, of another machine, and of somebody else's naming.
      const kept = [
        leftover!.replace(/-\d+\./, `-${process.pid}.`),
        leftover!.replace(/\.[0-9a-f]{8}-/, ".00000000-"),
        "notes.tmp",
      ].sort();
      for (const name of kept) await writeFile(join(place, name), "");
      // Of a process that had this one's id before it, and of other machines, a day ago.
      const id = "00000000-0000-0000-0000-000000000000";
      const old: [name: string, age: number][] = [
        [
          kept.find((name) => name.includes(`-${process.pid}.`))!.replace(/[0-9a-f-]{36}\.tmp$/, `${id}.tmp`),
          5,
        ],
        [`model.bin.00000000-1.${id}.tmp`, 25],
        ["old.tmp", 99],
      ];
      for (const [name, hours] of old) {
        const time = Date.now() / 1000 - 3600 * hours;
        await writeFile(join(place, name), "");
        await utimes(join(place, name), time, time);
      }
      await writeFileAtomically(join(place, "other.bin"), "x");
      expect((await readdir(place)).sort()).toEqual([...kept, "old.tmp", "other.bin"].sort());
    },
  );
});
