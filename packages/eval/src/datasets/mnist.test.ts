import { readdirSync, readlinkSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { expect, it, vi } from "vitest";
import { pixelsOf, readDataset } from "../../test/read-dataset.js";
import { folderOf } from "../../test/temporary-folder.js";
import { mnist } from "./mnist.js";

/** An idx file of unsigned bytes. */
function idx(shape: number[], bytes: Uint8Array): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.writeUInt32BE(0x0800 + shape.length);
  for (const [i, length] of shape.entries()) header.writeUInt32BE(length, 4 + 4 * i);
  return Buffer.concat([header, bytes]);
}

const images = (n: number, count = n) =>
  idx(
    [count, 28, 28],
    Uint8Array.from({ length: n * 784 }, (_, i) => i % 251),
  );
const labels = (...values: number[]) => idx([values.length], Uint8Array.from(values));

it.each([
  ["plain", (data: Buffer) => data, ""],
  ["packed", (data: Buffer) => gzipSync(data), ".gz"],
])("reads idx files, %s", async (_, pack, ending) => {
  const folder = folderOf({
    [`t10k-images-idx3-ubyte${ending}`]: pack(images(3)),
    [`t10k-labels-idx1-ubyte${ending}`]: pack(labels(7, 2, 1)),
  });
  const { dataset, classes } = await mnist(folder);
  expect(classes).toHaveLength(10);
  const entries = await readDataset(dataset);
  expect(entries.map(({ label }) => label)).toEqual(["7", "2", "1"]);
  const grey = (784 + 300) % 251;
  expect(pixelsOf(entries[1]).slice(900, 903)).toEqual([grey, grey, grey]);
});

it("names what is no such file, or ends early", async () => {
  const folder = (imageFile: Buffer, labelFile: Buffer) =>
    folderOf({ "train-images-idx3-ubyte": imageFile, "train-labels-idx1-ubyte": labelFile });
  const read = async (imageFile: Buffer, labelFile: Buffer) =>
    readDataset((await mnist(folder(imageFile, labelFile), { split: "train" })).dataset);
  expect(await read(images(2), labels(1, 2))).toHaveLength(2);
  await expect(read(images(2), labels(1))).rejects.toThrow(/labels-idx1-ubyte has no label for image 1/);
  await expect(read(images(1), labels(1, 2))).rejects.toThrow(
    /expected 2 labels, as their file says, got 1 images/,
  );
  await expect(read(images(1, 2), labels(1, 2))).rejects.toThrow(
    /expected 2 images, as their file says, got 1 images/,
  );
  // More than the header tells, such as of two files in one.
  await expect(read(images(2, 1), labels(1, 2))).rejects.toThrow(
    /images-idx3-ubyte has more than the 1 images that its header tells/,
  );
  await expect(read(images(2), Buffer.concat([labels(1, 2), Buffer.of(3)]))).rejects.toThrow(
    /labels-idx1-ubyte has more than the 2 labels that its header tells/,
  );
  await expect(read(images(2).subarray(0, 1000), labels(1, 2))).rejects.toThrow(
    /images-idx3-ubyte ends within a record of 784 bytes/,
  );
  await expect(read(images(0), labels())).rejects.toThrow(/mnist: .*images-idx3-ubyte has no images/);
  await expect(read(images(0, 2), labels(1, 2))).rejects.toThrow(
    /images-idx3-ubyte: expected 2 images, as its header says, got 0/,
  );
  await expect(read(labels(1, 2), labels(1, 2))).rejects.toThrow(/ends within a record/);
  await expect(read(idx([1, 20, 20], new Uint8Array(400)), labels(1))).rejects.toThrow(
    /no idx file of unsigned bytes with 3 axes, 28 x 28 each/,
  );
  // Type 0x0d is float32, and 4 axes are not 3.
  for (const [at, byte] of [
    [2, 0x0d],
    [3, 4],
  ]) {
    const other = images(1);
    other[at] = byte;
    await expect(read(other, labels(1))).rejects.toThrow(/no idx file of unsigned bytes with 3 axes/);
  }
  await expect(read(images(1), labels(12))).rejects.toThrow(/label 0 must be 0 to 9, got 12/);
  await expect(mnist(folder(images(1), labels(1)))).rejects.toThrow(
    /t10k-images-idx3-ubyte: no such file, with or without .gz/,
  );
});

/** How many files of a folder this process has open, which Linux tells. */
const openFiles = (folder: string) =>
  readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder);
    } catch {
      return false;
    }
  }).length;

it.runIf(process.platform === "linux")("leaves no file open, read to the end or not", async () => {
  const folder = folderOf({
    "t10k-images-idx3-ubyte": images(200),
    "t10k-labels-idx1-ubyte": labels(...new Array(200).fill(1)),
  });
  const { dataset } = await mnist(folder);
  if (dataset.access === "random") throw new Error("expected a stream");
  expect(await readDataset(dataset)).toHaveLength(200);
  for await (const { name } of dataset.open(0)) if (name === "t10k/3") break;
  await vi.waitFor(() => expect(openFiles(folder)).toBe(0));
});
