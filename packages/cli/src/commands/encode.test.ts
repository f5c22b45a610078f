import { existsSync, readdirSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { initialize, openSafetensors } from "@dcr-js/tensor";
import { writeTestImages } from "@dcr-js/testing/images";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fixtures, main, run } from "../../test/run-command.js";

let folder: string;
let images: string[];
const path = (...names: string[]) => join(folder, ...names);
beforeAll(async () => {
  await initialize({ device: "wasm" });
  folder = await mkdtemp(join(tmpdir(), "dcr-encode-"));
  images = await writeTestImages(path("photos ä"), 20);
});
afterAll(() => rm(folder, { recursive: true }));

const args = ["encode", "--encoder", join(fixtures, "models/siglip"), "--device", "wasm"];
const encode = (...more: string[]) => run([process.execPath, main, ...args, ...more], { cwd: folder });

describe("dcr encode", () => {
  it("writes features and names, sorted, of images of all formats and of equal names in two folders", async () => {
    for (const part of ["x", "y"]) {
      await mkdir(path("photos ä", part));
      await copyFile(path("photos ä", images[0]!), path("photos ä", part, "same.png"));
    }
    const { code, stdout, stderr } = await encode("--images", "photos ä", "--out", "features ö.safetensors");
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: "features: features ö.safetensors, [22,32]\n",
      stderr: "",
    });
    const file = await openSafetensors(path("features ö.safetensors"));
    expect(file.info("features").shape).toEqual([22, 32]);
    const names: string[] = JSON.parse(file.metadata!["names"]!);
    expect(names).toEqual([...images, "x/same.png", "y/same.png"].sort());
    const features = await file.tensor("features");
    await file.close();
    const rows = features.arraySync() as number[][];
    expect(rows[names.indexOf("x/same.png")]).toEqual(rows[names.indexOf(images[0]!)]);
    expect(rows[names.indexOf("y/same.png")]).toEqual(rows[names.indexOf(images[0]!)]);
    features.dispose();
  }, 60_000);

  it("names a broken image, and leaves nothing", async () => {
    await writeFile(path("photos ä", "torn.jpg"), "no picture");
    const { code, stderr } = await encode("--images", "photos ä", "--out", "torn.safetensors");
    expect(stderr).toMatch(/^error: .*torn\.jpg.*\n$/);
    expect(code).toBe(1);
    expect(existsSync(path("torn.safetensors"))).toBe(false);
    await rm(path("photos ä", "torn.jpg"));
  }, 60_000);

  it.skipIf(process.platform === "win32")(
    "leaves nothing on a full disk",
    async () => {
      // The shell's limit on file sizes, half a KiB or 1 KiB: the write fails part-way, as on a full disk.
      const own = [...args, "--images", "photos ä", "--out", "full/features.safetensors"];
      await mkdir(path("full"));
      const limited = ["-c", 'ulimit -f 1 && exec "$@"', "sh", process.execPath, main, ...own];
      const { code, stderr } = await run(["sh", ...limited], { cwd: folder });
      expect(stderr).toMatch(/^error: .*features\.safetensors: could not be written \(EFBIG.*\n$/);
      expect(code).toBe(1);
      expect(readdirSync(path("full"))).toEqual([]);
    },
    60_000,
  );
});
