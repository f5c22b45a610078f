import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import { gzipSync } from "node:zlib";
import { syntheticPixels } from "@dcr-js/testing";
import { writeTestImages, writeTestShards } from "@dcr-js/testing/images";
import { packTar } from "modern-tar";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createImageSource, type ImageSourceOptions } from "./create-image-source.js";
import { imageArray, imageStream } from "./custom-images.js";
import type { CustomImage, ImageDataset } from "./dataset.js";
import type { ImageBatch, ImageSource } from "./image-source.js";
import { openImages } from "./open-images.js";

let folder = "";
let photos = "";
let shards = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "image-source-"));
  photos = join(folder, "photos");
  shards = join(folder, "shards");
  await writeTestImages(photos);
  await writeTestShards(shards);
});
afterAll(() => rm(folder, { recursive: true }));

const options: ImageSourceOptions = { batchSize: 8, size: 24, seed: 3, workers: 0, shuffleBuffer: 7 };

const digest = ({ names, images, augmented }: ImageBatch) =>
  `${names.join()} ${createHash("sha1").update(images).update(augmented).digest("hex")}`;

async function take(source: ImageSource, n: number): Promise<ImageBatch[]> {
  const batches: ImageBatch[] = [];
  for await (const batch of source) if (batches.push(batch) === n) break;
  return batches;
}

async function firstDigests(dataset: ImageDataset, n: number, extra: Partial<ImageSourceOptions> = {}) {
  const source = await createImageSource(dataset, { ...options, ...extra });
  const batches = await take(source, n);
  await source.close();
  return batches.map(digest);
}

function pixels(count: number): CustomImage[] {
  return Array.from({ length: count }, (_, i) => {
    const [width, height] = [5 + (i % 7), 4 + (i % 5)];
    return { name: `image ${i}`, image: { data: syntheticPixels(i, width, height), width, height } };
  });
}

describe("createImageSource", () => {
  it("gives both views of every image, in [0, 1], and other ones in each epoch", async () => {
    const source = await createImageSource(imageArray(pixels(6)), { batchSize: 6, size: 8, workers: 0 });
    const [first, second] = await take(source, 2);
    await source.close();
    expect([source.length, source.batchSize, source.size, first!.size]).toEqual([6, 6, 8, 8]);
    expect(first!.images.length).toBe(6 * 8 * 8 * 3);
    expect([...first!.names].sort()).toEqual([...second!.names].sort());
    for (const view of [first!.images, first!.augmented, second!.images, second!.augmented]) {
      expect(view.every((value) => value >= 0 && value <= 1)).toBe(true);
    }
    const of = (batch: ImageBatch) => batch.augmented.subarray(0, 192).join();
    expect(of(first!)).not.toBe(of(second!));
  });

  it.each(["folder", "shards"])("does not depend on workers and prefetch: %s", async (kind) => {
    const dataset = await openImages(kind === "folder" ? photos : join(shards, "{00000..00002}.tar"));
    const expected = await firstDigests(dataset, 9);
    expect(await firstDigests(dataset, 9, { workers: 2, prefetch: 1 })).toEqual(expected);
    expect(await firstDigests(dataset, 9, { workers: 3, prefetch: 4 })).toEqual(expected);
    expect(await firstDigests(dataset, 9, { seed: 4 })).not.toEqual(expected);
  });

  it.each(["folder", "shards", "stream"])(
    "goes on from any position, with other workers: %s",
    async (kind) => {
      const images = pixels(60);
      const dataset =
        kind === "stream"
          ? imageStream(() => images)
          : await openImages(kind === "folder" ? photos : join(shards, "*.tar"));
      const source = await createImageSource(dataset, options);
      const positions: string[] = [];
      const all: string[] = [];
      for await (const batch of source) {
        all.push(digest(batch));
        positions.push(JSON.stringify(source.position()));
        if (all.length === 16) break;
      }
      await source.close();
      for (const at of [0, 3, 6, 7, 11]) {
        const other = await createImageSource(dataset, {
          ...options,
          workers: at === 3 ? 2 : 0,
          prefetch: 1 + at,
        });
        await take(other, 2);
        other.restore(JSON.parse(positions[at]!));
        expect(other.position()).toEqual(JSON.parse(positions[at]!));
        expect((await take(other, 4)).map(digest)).toEqual(all.slice(at + 1, at + 5));
        await other.close();
      }
    },
  );

  it("leaves out what does not fill a batch, and no image twice in an epoch", async () => {
    const source = await createImageSource(await openImages(join(shards, "*.tar")), options);
    const names = (await take(source, 14)).map(({ names }) => names);
    await source.close();
    for (const epoch of [names.slice(0, 7), names.slice(7)]) expect(new Set(epoch.flat()).size).toBe(56);
  });

  it("ranks share an epoch's images", async () => {
    const dataset = await openImages(photos);
    const seen: string[] = [];
    for (const rank of [0, 1, 2]) {
      const source = await createImageSource(dataset, { ...options, batchSize: 5, rank, world: 3 });
      expect(source.length).toBe(20);
      for (const { names } of await take(source, 4)) seen.push(...names);
      await source.close();
    }
    expect(new Set(seen).size).toBe(60);
  });

  it("skips broken images, names them, and refills the batch", async () => {
    const dataset = imageArray([...pixels(20), { name: "bad.png", image: Buffer.from("no image") }]);
    const broken: string[] = [];
    const source = await createImageSource(dataset, {
      ...options,
      batchSize: 20,
      onBroken: ({ name, reason }) => broken.push(`${name} ${reason}`),
    });
    const [first] = await take(source, 1);
    await take(source, 1);
    await source.close();
    expect(new Set(first!.names).size).toBe(20);
    expect(broken[0]).toMatch(/^bad\.png is not a JPEG, PNG, .* \(it begins with 6e 6f 20/);
  });

  it("stops at the first broken image where strict says so, and stays stopped", async () => {
    const dataset = imageArray([...pixels(20), { name: "bad.png", image: join(folder, "missing.png") }]);
    const source = await createImageSource(dataset, { ...options, batchSize: 21, strict: true });
    await expect(take(source, 1)).rejects.toThrow("createImageSource: bad.png does not exist");
    await expect(take(source, 1)).rejects.toThrow("createImageSource: bad.png does not exist");
  });

  it("stops above maxBroken, with names", async () => {
    const bad = Array.from({ length: 4 }, (_, i) => ({ name: `bad${i}.jpg`, image: Buffer.from("") }));
    const few = await createImageSource(imageArray([...pixels(36), ...bad]), { ...options, onBroken() {} });
    await take(few, 9);
    await few.close();
    const many = await createImageSource(imageArray([...pixels(35), ...bad]), { ...options, onBroken() {} });
    await expect(take(many, 9)).rejects.toThrow(
      /^createImageSource: 4 of \d+ images are broken, a share above maxBroken 0.1: bad\d.jpg is empty; bad/,
    );
    const stream = await createImageSource(
      imageStream(() => [...pixels(35), ...bad]),
      { ...options, onBroken() {} },
    );
    await expect(take(stream, 9)).rejects.toThrow(/4 of 39 images are broken/);
    const allowed = await createImageSource(imageArray([...pixels(35), ...bad]), {
      ...options,
      maxBroken: 0.2,
      onBroken() {},
    });
    await take(allowed, 9);
    await allowed.close();
  });

  it("refuses a batch that is larger than the data before anything runs", async () => {
    await expect(createImageSource(imageArray(pixels(7)), options)).rejects.toThrow(
      "createImageSource: batchSize 8 is more than there are images: the list of images holds 7",
    );
    await expect(
      createImageSource(
        imageStream(() => pixels(7)),
        options,
      ),
    ).rejects.toThrow('batchSize 8 is more than there are images: the stream "stream" holds 7');
    await expect(
      createImageSource(imageArray(pixels(15)), { ...options, world: 2, rank: 1 }),
    ).rejects.toThrow(/holds 15, which rank 1 shares with 1 other processes/);
    const dataset = await openImages(join(shards, "*.tar"));
    await expect(createImageSource(dataset, { ...options, batchSize: 61 })).rejects.toThrow(/holds 60/);
  });

  it("refuses an epoch without a batch", async () => {
    async function* once() {
      yield* pixels(3);
    }
    const source = await createImageSource(imageStream(once()), options);
    await expect(take(source, 1)).rejects.toThrow(
      'batchSize 8 is more than there are images: an epoch of the stream "stream" gave 3, of which 0 are broken',
    );
  });

  it("names a stream that can be read once when its second epoch begins", async () => {
    async function* once() {
      yield* pixels(8);
    }
    const source = await createImageSource(imageStream(once(), { name: "camera" }), options);
    await expect(take(source, 2)).rejects.toThrow(
      "imageStream: camera can be read only once; pass a function that returns a new iterable",
    );
  });

  it("names what a stream hands out that is no image", async () => {
    const cases: [unknown, RegExp][] = [
      [Promise.resolve({}), /image 2 of stream must be \{ image, name, caption, label \}, got/],
      [{ image: Promise.resolve() }, /image 2 of stream\.image must be .* got a Promise/],
      [
        { image: { data: new Float32Array([0, Number.NaN, 1]), width: 1, height: 1 } },
        /image 2 of stream\.image must have float32 pixels in \[0, 1\], got NaN at 1/,
      ],
      [{ image: { data: new Uint8Array(5), width: 1, height: 2 } }, /height 2, width 1 and 5 numbers/],
      [{ image: "a.png", lable: "cat" }, /unknown key "lable"/],
      [{ image: "a.png", name: 3 }, /\.name must be a string, got 3/],
    ];
    for (const [item, message] of cases) {
      const list = [...pixels(2), item] as CustomImage[];
      const build = () =>
        createImageSource(
          imageStream(() => list),
          { ...options, batchSize: 3 },
        );
      await expect(build()).rejects.toThrow(message);
    }
  });

  it("refuses positions of other data and other settings, and is unchanged then", async () => {
    const source = await createImageSource(imageArray(pixels(20)), options);
    await take(source, 1);
    const position = source.position();
    const other = await createImageSource(imageArray(pixels(20)), { ...options, seed: 4 });
    expect(() => other.restore(position)).toThrow(
      "createImageSource.restore: the position is of other settings: seed 3, not 4",
    );
    const data = await createImageSource(imageArray(pixels(21)), options);
    expect(() => data.restore(position)).toThrow(/the position is of other data: "array-20-/);
    expect(() => source.restore({} as never)).toThrow(
      /expected a position of dcr-js image source, version 1/,
    );
    expect(() => source.restore({ ...position, taken: -1 })).toThrow(/position\.taken must be an integer/);
    expect(() => source.restore({ ...position, taken: 21 })).toThrow(/position\.taken must be at most 20/);
    expect(source.position()).toEqual(position);
    for (const each of [source, other, data]) await each.close();
  });

  it("has one reader", async () => {
    const source = await createImageSource(imageArray(pixels(20)), options);
    const [one, two] = [source[Symbol.asyncIterator](), source[Symbol.asyncIterator]()];
    const first = one.next();
    const position = source.position();
    await expect(two.next()).rejects.toThrow("a batch is being read; a source has one reader");
    expect(() => source.restore(position)).toThrow("createImageSource.restore: a batch is being read");
    expect((await first).value.names.length).toBe(8);
    // The next loop goes on where the last one stopped.
    expect((await two.next()).value.names).not.toEqual((await first).value.names);
    await source.close();
  });

  it("ends when it is closed, while a batch is awaited too", async () => {
    const slow = imageStream(async function* () {
      yield* pixels(8);
      await new Promise((resolve) => setTimeout(resolve, 3600_000).unref());
    });
    const source = await createImageSource(slow, { ...options, batchSize: 7, workers: 2 });
    await take(source, 1);
    const waiting = take(source, 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await source.close();
    await expect(take(source, 1)).rejects.toThrow("createImageSource: the source is closed");
    await expect(waiting).rejects.toThrow("createImageSource: the source is closed");
  });

  it("fails, and does not hang, when a worker ends", async () => {
    const workers: Worker[] = [];
    const collect = (worker: Worker) => workers.push(worker);
    process.on("worker", collect);
    const source = await createImageSource(imageArray(pixels(20)), { ...options, workers: 2 });
    await take(source, 1);
    process.off("worker", collect);
    expect(workers.length).toBe(2);
    await workers[1]!.terminate();
    await expect(take(source, 9)).rejects.toThrow("createImageSource: a data worker ended with code 1");
    await expect(take(source, 1)).rejects.toThrow("createImageSource: a data worker ended with code 1");
  });

  it("names a tar.gz that is cut short when it is reached", async () => {
    const cut = join(folder, "cut.tar.gz");
    await writeFile(cut, gzipSync(await readFile(join(shards, "00000.tar"))).subarray(0, 60_000));
    const source = await createImageSource(await openImages(cut), { ...options, batchSize: 2 });
    await expect(take(source, 50)).rejects.toThrow(`webDataset: ${cut}: the archive is cut short`);
  });

  it("counts samples with wrong members, and tells of samples without an image", async () => {
    const member = (name: string, body: string | Uint8Array) => ({
      header: { name, size: Buffer.byteLength(body), mtime: new Date(0) },
      body,
    });
    const png = await readFile(join(photos, "waves/01.png"));
    const file = join(folder, "odd.tar");
    await mkdir(folder, { recursive: true });
    const members = [
      member("a.png", png),
      member("a.txt", "alone"),
      member("b.txt", "no image"),
      member("dir/c.PNG", png),
      member("dir/c.cls", "7"),
      member("d.png", png),
      member("d.json", "{oops"),
      member("e.png", png),
      member("e.jpg", png),
      member("._f.png", "junk"),
    ];
    await writeFile(file, await packTar(members));
    const told: string[] = [];
    const dataset = await openImages(file, { log: (message) => told.push(message) });
    const entries = [];
    if (dataset.access === "stream") for await (const entry of dataset.open(0)) entries.push(entry);
    expect(entries.map(({ name, caption, label }) => [name, caption, label])).toEqual([
      ["odd.tar/a", "alone", undefined],
      ["odd.tar/dir/c", undefined, "7"],
      ["odd.tar/d", undefined, undefined],
      ["odd.tar/e", undefined, undefined],
    ]);
    expect(entries[2]!.content).toEqual({
      broken: expect.stringMatching(/^has a json member that is not valid JSON: /),
    });
    expect(entries[3]!.content).toEqual({ broken: "has several images: png, jpg" });
    expect(told).toEqual([
      `webDataset: ${file}: not read: 1 samples without an image (b), 1 hidden members (._f.png)`,
    ]);
  });

  it("refuses options that it does not know and values out of range", async () => {
    const dataset = imageArray(pixels(9));
    const refused: [object, RegExp][] = [
      [{ batch: 3 }, /unknown option "batch"/],
      [{ batchSize: 0 }, /batchSize must be an integer, at least 1 and at most 16777216, got 0/],
      [{ size: 2.5 }, /size must be an integer/],
      [{ seed: -1 }, /seed must be an integer, at least 0/],
      [{ rank: 2, world: 2 }, /rank must be an integer, at least 0 and less than 2, got 2/],
      [{ crop: "middle" }, /crop must be one of center, got "middle"/],
      [{ crop: { scales: [1, 1] } }, /unknown option "scales"/],
      [
        { crop: { scale: [0.9, 1.1] } },
        /crop: scale\[1\] must be a finite number, at least 0.9 and at most 1/,
      ],
      [{ augment: { hue: 0.6 } }, /augment: hue must be .* at most 0.5, got 0.6/],
      [{ augment: { horizontalFlip: 2 } }, /augment\.horizontalFlip must be/],
      [{ resample: "cubic" }, /resample must be one of nearest, box/],
      [{ maxBroken: Number.NaN }, /maxBroken must be/],
      [{ workers: -1 }, /workers must be/],
      [{ prefetch: 0 }, /prefetch must be/],
      [{ shuffle: 1 }, /shuffle must be a boolean, got 1/],
      [{ decode: { maxPixel: 3 } }, /decode: unknown option "maxPixel"/],
    ];
    for (const [extra, message] of refused) {
      const built = createImageSource(dataset, { ...options, ...extra } as ImageSourceOptions);
      await expect(built, JSON.stringify(extra)).rejects.toThrow(message);
    }
  });
});
