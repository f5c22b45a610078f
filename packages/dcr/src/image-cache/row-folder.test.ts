import "@tensorflow/tfjs-backend-cpu";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { createRowFolder } from "./row-folder.js";

it("keeps a folder that several processes write to within its bytes", async () => {
  const folder = await mkdtemp(join(tmpdir(), "row-folder-"));
  const bytes = async () => {
    const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".row"));
    const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size));
    return sizes.reduce((sum, size) => sum + size, 0);
  };
  const row = { values: new Float32Array(250), shape: [250] };
  const open = (maxBytes: number) => createRowFolder({ folder, maxBytes, precision: "float32" });
  await open(2 ** 30).write("0000", row);
  const one = await bytes();
  const maxBytes = 20 * one;
  // Each counts only its own writes until it looks again.
  const processes = [open(maxBytes), open(maxBytes), open(maxBytes)];
  for (let i = 1; i <= 90; i++) {
    await processes[i % 3].write(String(i).padStart(4, "0"), row);
    expect(await bytes()).toBeLessThanOrEqual(1.3 * maxBytes);
  }
  expect(await bytes()).toBeGreaterThan(0.7 * maxBytes);
  await rm(folder, { recursive: true });
});
