import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { processHost } from "../shared/process-tag.js";
import { identifyProcess, isRunning } from "./process-identity.js";
import { lockRun } from "./run-lock.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "dcr-lock-"));
});
afterEach(() => rm(folder, { recursive: true }));

const writeLock = (number: number, owner: object) =>
  writeFile(join(folder, `lock.${number}`), JSON.stringify(owner));

describe("isRunning", () => {
  it("knows this process, and not one that has ended", () => {
    expect(isRunning(identifyProcess())).toBe(true);
    const { pid } = spawnSync(process.execPath, ["-e", ""]);
    expect(isRunning({ pid, host: processHost(), started: null })).toBe(false);
  });

  it.runIf(process.platform !== "win32")("tells a process from a later one with the same id", () => {
    expect(isRunning({ ...identifyProcess(), started: "before:1" })).toBe(false);
  });

  it("cannot tell of another host", () => {
    expect(isRunning({ ...identifyProcess(), host: "elsewhere" })).toBe("unknown");
  });

  it.runIf(process.platform === "linux")("takes a process that nobody has collected for ended", async () => {
    // The shell's child ends at once, and the program that replaced the shell does not collect it.
    const parent = spawn("sh", ["-c", "sh -c 'echo $$' & exec sleep 20"], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    const pid = Number(await new Promise((resolve) => parent.stdout.once("data", resolve)));
    await expect.poll(() => isRunning({ ...identifyProcess(pid), started: null })).toBe(false);
    expect(await readFile(`/proc/${pid}/stat`, "utf8")).toContain(" Z ");
    parent.kill();
  });
});

describe("lockRun", () => {
  it("discards what was written, and the folders that it made", async () => {
    const lock = await lockRun(join(folder, "runs/new"));
    await writeFile(join(folder, "runs/new/config.yaml"), "");
    await lock.discard();
    expect(await readdir(folder)).toEqual([]);
    await writeFile(join(folder, "mine"), "");
    const own = await lockRun(folder);
    await writeFile(join(folder, "config.yaml"), "");
    await own.discard();
    expect(await readdir(folder)).toEqual(["mine"]);
  });

  it("leaves a folder that another process took while it discards", async () => {
    const run = join(folder, "new");
    const lock = await lockRun(run);
    await writeFile(join(run, "config.yaml"), "");
    const other = { ...identifyProcess(), pid: process.ppid };
    await writeFile(join(run, "lock.2"), JSON.stringify(other));
    await lock.discard();
    expect(await readdir(run)).toEqual(["lock.2"]);
  });

  it("gives the folder to one of several that ask at once", async () => {
    const asked = await Promise.allSettled(Array.from({ length: 8 }, () => lockRun(folder)));
    const won = asked.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    expect(won).toHaveLength(1);
    await expect(lockRun(folder)).rejects.toThrow(`${folder}: process ${process.pid} is writing to this run`);
    await won[0]!.release();
    expect(await readdir(folder)).toEqual([]);
  });

  it("takes over from a process that has ended, once", async () => {
    const stale = { ...identifyProcess(), pid: spawnSync(process.execPath, ["-e", ""]).pid };
    await writeLock(3, stale);
    const asked = await Promise.allSettled(Array.from({ length: 8 }, () => lockRun(folder)));
    const won = asked.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    expect(won.map((lock) => lock.staleOwner)).toEqual([stale]);
    expect(await readdir(folder)).toEqual(["lock.4"]);
    await won[0]!.release();
  });

  it("waits for a lock that is being written, and takes it over where its writer was killed at it", async () => {
    const path = join(folder, "lock.1");
    await writeFile(path, '{"pid": 1');
    await expect(lockRun(folder)).rejects.toThrow(
      `${folder}: another process is starting to write to this run`,
    );
    const ago = Date.now() / 1000 - 6;
    await utimes(path, ago, ago);
    await (await lockRun(folder)).release();
    expect(await readdir(folder)).toEqual([]);
  });

  it.runIf(process.platform === "linux")(
    "refuses a lock of another container on a host of this name",
    async () => {
      const { pid } = spawnSync(process.execPath, ["-e", ""]);
      const [name] = processHost().split(":");
      // The id is that of another process here, or of none.
      const host = `${name}:pid:[1]`;
      for (const owner of [
        { ...identifyProcess(), host },
        { pid, host, started: null },
      ]) {
        await writeLock(1, owner);
        await expect(lockRun(folder)).rejects.toThrow(
          `process ${owner.pid} of host ${host} holds this run; if it has ended, delete ${join(folder, "lock.1")}`,
        );
      }
      expect(identifyProcess().host).toMatch(/:pid:\[\d+\]$/);
    },
  );

  it("refuses a lock of another host and says what to delete", async () => {
    await writeLock(1, { pid: 7, host: "elsewhere", started: null });
    await expect(lockRun(folder)).rejects.toThrow(
      `process 7 of host elsewhere holds this run; if it has ended, delete ${join(folder, "lock.1")}`,
    );
  });
});
