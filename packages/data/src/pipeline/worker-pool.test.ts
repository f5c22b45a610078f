import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { syntheticPixels } from "@dcr-js/testing";
import { build } from "esbuild";
import { describe, expect, it, vi } from "vitest";
import { checkDecodeOptions } from "../decode/decode-image.js";
import type { ImageTask, Recipe } from "./image-task.js";
import { startWorkerPool } from "./worker-pool.js";

const recipe: Recipe = { kind: "evaluation", transform: {}, decode: checkDecodeOptions("test") };
/** Outside a project, Node looks for packages in NODE_PATH. */
const withPackages = { ...process.env, NODE_PATH: join(import.meta.dirname, "../../../../node_modules") };
const task = (i: number): ImageTask => ({
  name: `${i}`,
  content: { image: { data: syntheticPixels(i, 4, 3), width: 4, height: 3 } },
  epoch: 0,
});

describe("startWorkerPool", () => {
  it.each([0, 1, 3])("gives the same results with %i workers", async (workers) => {
    const pool = startWorkerPool("test", recipe, workers);
    pool.ref();
    const results = await Promise.all([0, 1, 2, 3, 4].map((i) => pool.run(task(i))));
    await pool.close();
    for (const [i, result] of results.entries()) {
      const expected = Float32Array.from(syntheticPixels(i, 4, 3), (value) => value * (1 / 255));
      expect(result).toEqual({ views: [expected], width: 4, height: 3 });
    }
  });

  it.each([0, 2])(
    "gives up what still runs when it is closed, and takes no more: %i workers",
    async (workers) => {
      const pool = startWorkerPool("test", recipe, workers);
      pool.ref();
      const running = [0, 1, 2].map((i) => pool.run(task(i)).catch((error: Error) => error.message));
      await pool.close();
      expect((await Promise.all(running)).at(-1)).toBe("test: closed");
      await expect(pool.run(task(3))).rejects.toThrow("test: closed");
    },
  );

  it("tells of a broken image as a result", async () => {
    const pool = startWorkerPool("test", recipe, 1);
    pool.ref();
    const result = await pool.run({ name: "x", content: { path: "src" }, epoch: 0 });
    await pool.close();
    expect(result).toEqual({ broken: "is no file" });
  });

  it("sends an image alone, and not the buffer that it is a part of", async () => {
    const sent: ImageTask[] = [];
    const post = vi.spyOn(Worker.prototype, "postMessage").mockImplementation(function (
      this: Worker,
      { task }: { task: ImageTask },
    ) {
      sent.push(task);
    });
    const pool = startWorkerPool("test", recipe, 1);
    const rest = pool.run(task(0)).catch(() => {});
    const bytes = new Uint8Array(2 ** 26).fill(7);
    const floats = new Float32Array(bytes.buffer);
    for (const content of [
      { image: { data: bytes.subarray(30, 33), width: 1, height: 1 } },
      { image: { data: floats.subarray(3, 6), width: 1, height: 1 } },
      { bytes: bytes.subarray(8, 20) },
      { bytes: Buffer.from(bytes.buffer, 5, 7) },
    ]) {
      pool.run({ name: "view", content, epoch: 0 }).catch(() => {});
      const own = sent.at(-1)!.content;
      const view = "image" in own ? own.image.data : (own as { bytes: Uint8Array }).bytes;
      const given = "image" in content ? content.image!.data : content.bytes!;
      expect(view.buffer.byteLength).toBe(given.byteLength);
      expect(Array.from(view)).toEqual(Array.from(given));
    }
    // Nothing is copied where the buffer is the image's own.
    const whole = task(1);
    pool.run(whole).catch(() => {});
    expect(sent.at(-1)!.content).toEqual(whole.content);
    post.mockRestore();
    await pool.close();
    await rest;
  });

  it("lets the process end although nobody closed it", async () => {
    const code = `
      import { createImageSource, imageArray, readImages } from "@dcr-js/data";
      const image = { data: new Uint8Array(12), width: 2, height: 2 };
      const images = imageArray(Array.from({ length: 9 }, () => ({ image })));
      const source = await createImageSource(images, { batchSize: 2, size: 2, workers: 2 });
      for await (const batch of source) { console.log(batch.names.length); break; }
      const { value } = await readImages(images, {}, { batchSize: 4, workers: 2 }).next();
      console.log(value.names.length);
    `;
    const run = promisify(execFile)(process.execPath, ["--input-type=module", "-e", code]);
    expect((await run).stdout).toBe("2\n4\n");
  });
});

it("reads in this thread where a bundle lacks the workers' program, and says so where workers are asked for", async () => {
  const folder = await mkdtemp(join(tmpdir(), "data-bundle-"));
  const contents = `
    import { imageArray, readImages } from "@dcr-js/data";
    const images = imageArray([{ name: "a", image: { data: new Uint8Array(12), width: 2, height: 2 } }]);
    const read = async (options) => {
      for await (const { names } of readImages(images, { resize: { width: 2, height: 2 } }, options)) console.log(names[0]);
    };
    read().then(() => read({ workers: 1 })).catch((error) => console.log(error.message));`;
  const banner =
    'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';
  for (const format of ["esm", "cjs"] as const) {
    const file = join(folder, format === "esm" ? "bundle.mjs" : "bundle.cjs");
    await build({
      stdin: { contents, resolveDir: import.meta.dirname },
      bundle: true,
      format,
      platform: "node",
      external: ["sharp"],
      banner: { js: format === "esm" ? banner : "" },
      logLevel: "error",
      outfile: file,
    });
    const { stdout } = await promisify(execFile)(process.execPath, [file], { env: withPackages });
    expect(stdout.trim().split("\n")).toEqual([
      "a",
      "readImages: workers: this bundle lacks image-worker.js, the program of the 1 data workers; " +
        "leave @dcr-js/data out of the bundle, or set workers: 0",
    ]);
  }
  await rm(folder, { recursive: true });
});
