import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { initialize } from "@dcr-js/tensor";
import { expectNoLeaks } from "@dcr-js/testing";
import { writeTestImages } from "@dcr-js/testing/images";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { fixtures } from "../../test/run-command.js";
import { mergeSettings, type PartialConfig } from "../config/read-config.js";
import { defaultConfig, type RunConfig } from "../config/run-config.js";
import { checkRun } from "./check-run.js";

/** Bytes that are left on every disk, and the number of a folder's disk; both the machine's own where nothing is set. */
const disks = vi.hoisted(() => ({ left: undefined as number | undefined, of: new Map<string, number>() }));
vi.mock("node:fs", async (original) => {
  const fs = await original<typeof import("node:fs")>();
  return {
    ...fs,
    statfsSync: (path: string) =>
      disks.left === undefined ? fs.statfsSync(path) : { bavail: disks.left, bsize: 1 },
    statSync: (path: string, options?: { throwIfNoEntry: false }) => {
      const found = fs.statSync(path, options);
      const dev = disks.of.get(path);
      return dev === undefined ? found : Object.assign(found!, { dev });
    },
  };
});

let folder: string;
beforeAll(async () => {
  await initialize({ device: "wasm" });
  folder = await mkdtemp(join(tmpdir(), "dcr-check-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function check(settings: PartialConfig, options: { resumed?: boolean } = {}) {
  const config = mergeSettings(
    {
      ...defaultConfig,
      encoder: join(fixtures, "models/clip"),
      diffusion: join(fixtures, "models/stable-diffusion"),
      images: join(fixtures, "pattern-images.mjs"),
    },
    settings,
  );
  return checkRun(join(folder, "run"), config as RunConfig, {
    device: await initialize({ device: "wasm" }),
    ...options,
  });
}

/** A source of 50 images whose batches are an expression of their values. */
async function source(name: string, images: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(
    path,
    `export default ({ size, batchSize }) => ({
      size, batchSize, length: 50, position: () => ({}), restore() {}, async close() {},
      async *[Symbol.asyncIterator]() {
        const values = new Float32Array(batchSize * size * size * 3);
        for (;;) yield { images: ${images}, augmented: values, size, names: Array(batchSize).fill("one") };
      },
    });`,
  );
  return path;
}

it("finds what a stage would stumble over, before anything is trained or written", async () => {
  await expectNoLeaks(async () => {
    const checked = await check({});
    expect(checked.config.memory.chunk).toBeGreaterThan(0);
    const adapters = (memory: typeof checked.memory) =>
      memory.rows.find(({ what }) => what.startsWith("adapters"))!.bytes;
    // One rank more: a row and a column for each layer, of the fixture's two blocks of widths 32 and 64; 4 bytes each of values, moments and gradients.
    const more = await check({ lora: { rank: 17 } });
    expect(adapters(more.memory) - adapters(checked.memory)).toBe(20 * 2 * (4 * 2 * 32 + 2 * (32 + 64)));
    const names = await check({ lora: { targetModules: "all-linear" } });
    expect(adapters(names.memory)).toBeGreaterThan(adapters(checked.memory));
    // A run goes on with the kind of device that it found.
    expect([defaultConfig.device, checked.config.device]).toEqual(["auto", "wasm"]);
    await expect(check({ storage: "float16" })).rejects.toThrow(
      "--storage: float16 needs WebGPU on an adapter with shader-f16, and this run is on wasm; leave --storage out",
    );
    await expect(check({ lora: { targetModules: ["c_proj"] } })).rejects.toThrow(
      /^--lora-targets: targetModules "c_proj" matches no Linear; did you mean "q_proj"\?$/,
    );
    const file = join(fixtures, "models/clip/config.json");
    await expect(check({ latentCache: file })).rejects.toThrow(
      `--latent-cache: ${file} is a file, expected a folder`,
    );
    // The losses that contrast images of a batch need two.
    const one = { align: { batch: 1 }, enhance: { batch: 1 } };
    expect((await check({ ...one, methods: ["rec"] })).config.enhance.batch).toBe(1);
    for (const name of ["con", "naive", "dcr"]) {
      await expect(check({ ...one, methods: ["rec", name] })).rejects.toThrow(
        `--batch: must be at least 2, got 1; ${name} needs other images as negatives`,
      );
    }
    await expect(
      check({ align: { batch: 1, loss: "dcr" }, enhance: { batch: 1 }, methods: ["rec"] }),
    ).rejects.toThrow("--align-batch: must be at least 2, got 1; dcr needs other images as negatives");
    await expect(check({ endToEnd: true, methods: ["rec", "con"] })).rejects.toThrow(
      "--end-to-end: con uses no predictions, and the projector is trained through them alone; leave --end-to-end out for it",
    );
    await expect(check({ images: await source("nan.mjs", "values.fill(NaN)") })).rejects.toThrow(
      /^--images: .*nan\.mjs: source: a batch's images must be in \[0, 1\], got NaN in "one"$/,
    );
    await expect(check({ images: await source("promise.mjs", "Promise.resolve(values)") })).rejects.toThrow(
      /^--images: .*promise\.mjs: source: a batch's images must be a Float32Array, got a Promise$/,
    );
    await expect(
      check({ enhance: { batch: 51 }, images: await source("few.mjs", "values") }),
    ).rejects.toThrow(/^--batch: 51 is more than the 50 images of /);
  });
});

it("runs a user's objective once, and names the option of a batch that is larger than the images", async () => {
  const objective = async (name: string, terms: string) => {
    const path = join(folder, name);
    const uses = "usesAugmented: false, usesPredictions: true";
    await writeFile(path, `export default { name: "mine", ${uses}, terms: (input) => ${terms} };`);
    return path;
  };
  const typo = await objective("typo.mjs", "[input.featurs.shape]");
  const form = await objective("form.mjs", "({})");
  const shapes = await objective(
    "shapes.mjs",
    `{ const { features, predictor: { conditions, target } } = input;
       throw new Error([features, conditions, target].map(({ shape }) => "[" + shape + "]").join(" ")); }`,
  );
  const one = join(folder, "one.mjs");
  await writeFile(
    one,
    `import { featureObjective } from ${JSON.stringify(import.meta.resolve("@dcr-js/dcr"))};
     import { mean } from ${JSON.stringify(import.meta.resolve("@tensorflow/tfjs-core"))};
     export default featureObjective("mine", (features) => mean(features));`,
  );
  const photos = join(folder, "photos");
  await writeTestImages(photos, 20);
  await expectNoLeaks(async () => {
    for (const [settings, message] of [
      [
        { methods: ["dcr", typo] },
        `--methods: ${typo}: Cannot read properties of undefined (reading 'shape')`,
      ],
      [
        { methods: [form] },
        `--methods: ${form}: objective mine: terms must return an array of one loss or more`,
      ],
      [{ methods: [shapes], enhance: { batch: 5 } }, `--methods: ${shapes}: [5,24] [5,32] [5,4,4,4]`],
      [
        { methods: [one], aggregator: "pcgrad" },
        "--aggregator: pcgrad needs two losses or more, and one has one, mine; omit it for this method",
      ],
      [
        { images: photos, align: { batch: 30 } },
        "--align-batch: 30 is more than there are images: the folder ",
      ],
      [{ images: photos, enhance: { batch: 30 } }, "--batch: 30 is more than there are images: the folder "],
    ] as [PartialConfig, string][]) {
      await expect(check(settings)).rejects.toThrow(message);
    }
    await check({ methods: [one] });
  });
});

it("asks for the room of the jobs that are left", async () => {
  const seeds = [0, 1];
  const whole = await check({ seeds });
  for (const name of ["align-rec-seed0", "dcr-seed0"]) {
    await mkdir(join(folder, "run/jobs", name), { recursive: true });
    await writeFile(join(folder, "run/jobs", name, "result.json"), "{}");
  }
  // A run takes 16 MB beside its jobs.
  const left = await check({ seeds }, { resumed: true });
  expect(left.written - 16e6).toBe((whole.written - 16e6) / 2);
  expect(left.cached).toBe(0);
  // Images of 32 x 32 have latents of 4 x 4 x 4: means and log-variances of 2 bytes.
  const few = {
    align: { steps: 3, batch: 2, accumulation: 1 },
    enhance: { steps: 2, batch: 4, accumulation: 3 },
  };
  const { cached } = await check({ ...few, seeds: [1], latentCache: join(folder, "cache") });
  expect(cached).toBe((3 * 2 + 2 * 4 * 3) * 4 * 4 * 4 * 2 * 2);
  await rm(join(folder, "run"), { recursive: true });
});

it("names the folders for which a disk has no room, and adds up those that share one", async () => {
  const [cache, elsewhere] = [join(folder, "cache"), join(folder, "elsewhere")];
  const { written, cached } = await check({ latentCache: cache });
  expect(cached).toBeGreaterThan(0);
  await mkdir(elsewhere);
  disks.of.set(elsewhere, -1);
  disks.left = written + cached - 1;
  try {
    await expect(check({ latentCache: cache })).rejects.toThrow(
      new RegExp(
        `^--out: ${join(folder, "run")} and --latent-cache: ${cache}: the disk has .* left, the run needs `,
      ),
    );
    expect(await check({ latentCache: elsewhere })).toMatchObject({ written, cached });
    disks.left = cached - 1;
    const few = { align: { steps: 1 }, enhance: { steps: 1 } };
    await expect(check({ latentCache: elsewhere })).rejects.toThrow(/^--(out|latent-cache): /);
    expect((await check(few)).written).toBeGreaterThan(0);
    disks.left = 1;
    await expect(check(few)).rejects.toThrow(/^--out: .*run: the disk has 1 B left, the run needs /);
  } finally {
    disks.left = undefined;
    disks.of.clear();
  }
});

it("takes Stable Diffusion XL, and names what does not fit", async () => {
  const xl = join(fixtures, "models/stable-diffusion-xl");
  expect((await check({ diffusion: xl })).memory.rows.length).toBeGreaterThan(0);
  await expect(check({ diffusion: join(fixtures, "models/clip") })).rejects.toThrow(
    /^--diffusion: expected a model folder with model_index\.json, but /,
  );
});
