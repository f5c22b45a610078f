import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { checkDecodeOptions } from "../decode/decode-image.js";
import { checkEvalTransform } from "../transforms/eval-transform.js";
import { type Recipe, runImageTask } from "./image-task.js";
import { MachineFault, readingError } from "./machine-fault.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "image-task-"));
});
afterAll(() => rm(folder, { recursive: true }));

const recipe: Recipe = {
  kind: "evaluation",
  transform: checkEvalTransform("test", { resize: { shortestEdge: 4 }, crop: { width: 4, height: 4 } }),
  decode: checkDecodeOptions("test"),
};
const run = (path: string) => runImageTask(recipe, { name: "a.png", content: { path }, epoch: 0 });

it("calls a file broken that is missing, is a folder, or is no image", async () => {
  const text = join(folder, "text.png");
  await writeFile(text, "no image");
  expect(await run(join(folder, "missing.png"))).toEqual({ broken: "does not exist" });
  expect(await run(join(text, "below.png"))).toEqual({
    broken: expect.stringMatching(/^cannot be read: ENOTDIR/),
  });
  expect(await run(folder)).toEqual({ broken: "is no file" });
  expect(await run(text)).toEqual({ broken: expect.stringContaining("JPEG") });
});

it("calls an image broken that no transform can take", async () => {
  const image = { data: new Float32Array(3 * 2 ** 22), width: 1, height: 2 ** 22 };
  const wide: Recipe = {
    ...recipe,
    transform: checkEvalTransform("test", { resize: { shortestEdge: 300 } }),
  };
  expect(await runImageTask(wide, { name: "a", content: { image }, epoch: 0 })).toEqual({
    broken: expect.stringContaining("at most"),
  });
});

it("stops where the machine is at fault, and names the image", async () => {
  const fault = (code: string) => Object.assign(new Error(`${code}: made by the test`), { code });
  for (const code of ["EMFILE", "ENFILE", "EIO", "ENOMEM"]) {
    expect(readingError(fault(code))).toBeInstanceOf(MachineFault);
  }
  expect(readingError(fault("EACCES"))).not.toBeInstanceOf(MachineFault);
  const image = {
    get data(): Float32Array {
      // As V8 says it.
      throw new RangeError("Array buffer allocation failed");
    },
    width: 1,
    height: 1,
  };
  const task = runImageTask(recipe, { name: "huge.png", content: { image }, epoch: 0 });
  await expect(task).rejects.toThrow(/^huge\.png: /);
});
