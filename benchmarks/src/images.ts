#!/usr/bin/env node
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createImageSource, openImages } from "@dcr-js/data";
import { Command, InvalidArgumentError } from "commander";
import { packTar } from "modern-tar";
import sharp from "sharp";

const count = (text: string) => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("expected an integer above 0");
  return value;
};

const options = new Command("npm run images -w benchmarks --")
  .description("Shows whether a training step waits for its images, and how much memory a stream takes.")
  .option("--step <ms>", "how long the simulated step takes", count, 50)
  .option("--steps <n>", "steps to time", count, 100)
  .option("--batch <n>", "images in a batch", count, 2)
  .option("--size <n>", "width and height of the views", count, 224)
  .option("--workers <n>", "worker threads", count, Math.max(1, availableParallelism() - 1))
  .option("--busy", "the step computes on this thread; by default it waits for a device")
  .option("--memory", "instead: peak memory over shards of 1 GB and of 10 GB")
  .parse()
  .opts<{
    step: number;
    steps: number;
    batch: number;
    size: number;
    workers: number;
    busy?: boolean;
    memory?: boolean;
  }>();

/** A photo-like JPEG: waves with noise, 500 x 375, about 40 kB. */
async function photo(seed: number): Promise<Buffer> {
  const [width, height] = [500, 375];
  const raw = new Uint8Array(width * height * 3);
  let noise = seed + 1;
  for (let i = 0; i < raw.length; i++) {
    noise = (Math.imul(noise, 1664525) + 1013904223) >>> 0;
    const x = Math.floor(i / 3) % width;
    const y = Math.floor(i / 3 / width);
    raw[i] = 128 + 80 * Math.sin((x * (seed + 3)) / 90 + (i % 3)) * Math.cos(y / 40) + (noise >>> 27);
  }
  return sharp(raw, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 85 })
    .toBuffer();
}

async function step(): Promise<void> {
  if (!options.busy) return void (await sleep(options.step));
  const end = performance.now() + options.step;
  while (performance.now() < end);
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;

async function timeSteps(folder: string): Promise<void> {
  for (let i = 0; i < 64; i++) await writeFile(join(folder, `${i}.jpg`), await photo(i));
  const { steps, batch, size, workers } = options;
  const source = await createImageSource(await openImages(folder), {
    batchSize: batch,
    size,
    workers,
    prefetch: 4,
  });
  const batches = source[Symbol.asyncIterator]();
  // Threads start and code warms up.
  for (let i = 0; i < 8; i++) await batches.next();
  const [plain, withData, waits]: number[][] = [[], [], []];
  const cpu = process.cpuUsage();
  for (let i = 0; i < steps; i++) {
    const began = performance.now();
    await batches.next();
    waits!.push(performance.now() - began);
    await step();
    withData!.push(performance.now() - began);
  }
  const { user, system } = process.cpuUsage(cpu);
  await source.close();
  for (let i = 0; i < steps; i++) {
    const began = performance.now();
    await step();
    plain!.push(performance.now() - began);
  }
  const kind = options.busy ? "computing" : "waiting for a device";
  console.log(
    `${batch} images of 500 x 375 to two views of ${size} x ${size}, ${workers} workers, step ${kind}`,
  );
  console.log(
    `step without data: median ${median(plain!).toFixed(1)} ms, mean ${mean(plain!).toFixed(1)} ms`,
  );
  console.log(
    `step with data:    median ${median(withData!).toFixed(1)} ms, mean ${mean(withData!).toFixed(1)} ms`,
  );
  console.log(
    `waited for data:   median ${median(waits!).toFixed(2)} ms, longest ${Math.max(...waits!).toFixed(1)} ms`,
  );
  // A step that computes is processor time too.
  if (options.busy) return;
  console.log(`processor time: ${((user + system) / 1000 / (steps * batch)).toFixed(1)} ms per image`);
}

async function memory(folder: string): Promise<void> {
  const small = await sharp({ create: { width: 32, height: 32, channels: 3, background: "red" } })
    .jpeg()
    .toBuffer();
  // A decoder stops at the end of the image, so the rest of a megabyte costs reading only.
  const body = new Uint8Array(2 ** 20);
  body.set(small);
  const members = Array.from({ length: 256 }, (_, i) => ({
    header: { name: `${i}.jpg`, size: body.length },
    body,
  }));
  const shard = join(folder, "shard.tar");
  await writeFile(shard, await packTar(members));
  for (const shards of [4, 40]) {
    const part = join(folder, `${shards}`);
    await mkdir(part);
    for (let i = 0; i < shards; i++) await symlink(shard, join(part, `${i}.tar`));
    const source = await createImageSource(await openImages(part), {
      batchSize: 32,
      size: 32,
      workers: options.workers,
    });
    let highest = 0;
    let batches = 0;
    for await (const _ of source) {
      highest = Math.max(highest, process.memoryUsage.rss());
      if (++batches === shards * 8) break;
    }
    await source.close();
    console.log(
      `${(shards / 4).toFixed(0)} GB in ${shards} shards: peak ${(highest / 2 ** 20).toFixed(0)} MiB`,
    );
  }
}

const folder = await mkdtemp(join(tmpdir(), "dcr-js-images-"));
try {
  await (options.memory ? memory(folder) : timeSteps(folder));
} finally {
  await rm(folder, { recursive: true });
}
