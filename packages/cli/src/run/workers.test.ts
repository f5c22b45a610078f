import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { registerWorker } from "./workers.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "dcr-workers-"));
});
afterAll(() => rm(folder, { recursive: true }));

it("registerWorker refuses an orphan, also one that was an orphan before it could look, and then writes nothing", async () => {
  const path = join(folder, "job/worker.json");
  const message = "the process that started this one has ended";
  // Whoever is this process's parent, it is not this process itself.
  await expect(registerWorker(path, process.pid)).rejects.toThrow(message);
  expect(existsSync(path)).toBe(false);
  const connected = vi.spyOn(process, "connected", "get").mockReturnValue(true);
  const beforeWrite = await registerWorker(path, process.ppid);
  expect(JSON.parse(await readFile(path, "utf8"))).toMatchObject({ pid: process.pid });
  expect(beforeWrite).not.toThrow();
  // On Windows an orphan keeps its parent's id, and its channel is closed.
  connected.mockReturnValue(false);
  expect(beforeWrite).toThrow(message);
  connected.mockRestore();
});
