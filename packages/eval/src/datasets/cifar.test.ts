import { expect, it } from "vitest";
import { pixelsOf, readDataset } from "../../test/read-dataset.js";
import { folderOf } from "../../test/temporary-folder.js";
import { cifar10, cifar100 } from "./cifar.js";

/** A record: the labels, then 1024 bytes of red, of green and of blue. */
const record = (labels: number[], seed: number) =>
  Buffer.from([...labels, ...Array.from({ length: 3072 }, (_, i) => (i * 7 + seed) % 256)]);

const names = "airplane\nautomobile\nbird\n\n";

it("reads CIFAR-10's binary files, colours side by side", async () => {
  const folder = folderOf({
    "batches.meta.txt": names,
    "test_batch.bin": Buffer.concat([record([2], 0), record([0], 5)]),
    ...Object.fromEntries([1, 2, 3, 4, 5].map((i) => [`data_batch_${i}.bin`, record([i % 3], i)])),
  });
  const { dataset, classes } = await cifar10(folder);
  expect(classes).toEqual(["airplane", "automobile", "bird"]);
  const entries = await readDataset(dataset);
  expect(entries.map(({ name, label }) => [name, label])).toEqual([
    ["test_batch.bin/0", "bird"],
    ["test_batch.bin/1", "airplane"],
  ]);
  const at = (i: number, seed: number) => (i * 7 + seed) % 256;
  // Pixel 33 is row 1, column 1.
  expect(pixelsOf(entries[1]).slice(99, 102)).toEqual([at(33, 5), at(1024 + 33, 5), at(2048 + 33, 5)]);
  const train = await readDataset((await cifar10(folder, { split: "train" })).dataset);
  expect(train.map(({ label }) => label)).toEqual(["automobile", "bird", "airplane", "automobile", "bird"]);
  // It can be read again.
  expect(await readDataset(dataset)).toHaveLength(2);
});

it("reads CIFAR-100's fine and coarse labels", async () => {
  const folder = folderOf({
    "fine_label_names.txt": "apple\nbaby\n",
    "coarse_label_names.txt": "fruit\npeople\n",
    "test.bin": Buffer.concat([record([0, 0], 1), record([1, 1], 2), record([0, 1], 3)]),
  });
  const labels = async (labels?: "fine" | "coarse") =>
    (await readDataset((await cifar100(folder, { labels })).dataset)).map(({ label }) => label);
  expect(await labels()).toEqual(["apple", "baby", "baby"]);
  expect(await labels("coarse")).toEqual(["fruit", "people", "fruit"]);
});

it("names the file that is missing, cut short or of other labels", async () => {
  const folder = folderOf({ "batches.meta.txt": names, "test_batch.bin": record([0], 0).subarray(0, 3000) });
  await expect(readDataset((await cifar10(folder)).dataset)).rejects.toThrow(
    /test_batch.bin ends within a record of 3073 bytes/,
  );
  await expect(cifar10(folder, { split: "train" })).rejects.toThrow(
    /cifar10: .*data_batch_1.bin: no such file/,
  );
  await expect(cifar100(folder)).rejects.toThrow(/cifar100: .*fine_label_names.txt: no such file/);
  const other = folderOf({ "batches.meta.txt": names, "test_batch.bin": record([7], 0) });
  await expect(readDataset((await cifar10(other)).dataset)).rejects.toThrow(
    /image 0 has label 7, and there are 3 classes/,
  );
  await expect(cifar10(other, { split: "val" as never })).rejects.toThrow(
    /split must be one of train, test, got "val"/,
  );
});

it("refuses a file without images, and one that has fewer than the others", async () => {
  const two = Buffer.concat([record([0], 0), record([1], 1)]);
  const folder = (third: Buffer) =>
    folderOf({
      "batches.meta.txt": names,
      "test_batch.bin": Buffer.alloc(0),
      ...Object.fromEntries([1, 2, 3, 4, 5].map((i) => [`data_batch_${i}.bin`, i === 3 ? third : two])),
    });
  for (const [third, got] of [
    [Buffer.alloc(0), 0],
    [record([0], 0), 1],
  ] as const) {
    await expect(cifar10(folder(third), { split: "train" })).rejects.toThrow(
      `data_batch_3.bin: expected 2 images, as another file has, got ${got}`,
    );
  }
  await expect(cifar10(folder(two))).rejects.toThrow(
    /^cifar10: .*test_batch.bin: expected 1 image or more, got 0/,
  );
  expect(await readDataset((await cifar10(folder(two), { split: "train" })).dataset)).toHaveLength(10);
  const classes = (text: string) =>
    cifar10(folderOf({ "batches.meta.txt": text, "test_batch.bin": record([0], 0) }));
  await expect(classes("\n")).rejects.toThrow(/^cifar10: .*batches.meta.txt names no class/);
  await expect(classes("cat\ndog\ncat\n")).rejects.toThrow(
    /batches.meta.txt: class 2 must differ from .*class 0, got "cat" twice/,
  );
  expect((await classes("\uFEFFcat\r\ndog\r\n")).classes).toEqual(["cat", "dog"]);
  const hundred = folderOf({ "fine_label_names.txt": "apple\n", "test.bin": Buffer.alloc(0) });
  await expect(cifar100(hundred)).rejects.toThrow(/^cifar100: .*test.bin: expected 1 image or more, got 0/);
});
