import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runCommandLine } from "@dcr-js/cli";
import { imageFolder, openImages, readImages } from "@dcr-js/data";
import { mmvpVLM } from "@dcr-js/eval/datasets";
import { parse } from "csv-parse/sync";
import { createTarDecoder } from "modern-tar";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { completeCaption } from "../scenes/captions.js";
import { factorNames, identities } from "../scenes/factors.js";
import { checkScene, type Scene } from "../scenes/scene.js";
import { scenePairs, sceneSet } from "../scenes/splits.js";
import { loadSprites, type Sprites } from "../scenes/sprites.js";
import { type ExportOptions, exportScenes } from "./export-scenes.js";
import type { SceneRecord } from "./scene-records.js";

let folder: string;
let sprites: Sprites;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "export-scenes-"));
  sprites = await loadSprites();
});
afterAll(() => rm(folder, { recursive: true }));

const path = (...names: string[]) => join(folder, ...names);
const hashes = async (where: string) => {
  const names = (await readdir(where, { recursive: true, withFileTypes: true })).filter((file) =>
    file.isFile(),
  );
  const files = names.map((file) => join(file.parentPath, file.name)).sort();
  const pairs = await Promise.all(
    files.map(async (file) => [
      file.slice(where.length),
      createHash("sha256")
        .update(await readFile(file))
        .digest("hex"),
    ]),
  );
  return Object.fromEntries(pairs) as Record<string, string>;
};

describe("a WebDataset", () => {
  const options = { format: "webdataset", split: "test", seed: 5, count: 1100, size: 32 } as const;
  let records: SceneRecord[];
  const images: Uint8Array[] = [];

  it("is read back by the reader of WebDatasets: pixels, captions, classes", async () => {
    await exportScenes({ ...options, out: path("shards") });
    expect((await readdir(path("shards"))).sort()).toEqual(["00000.tar", "00001.tar"]);
    const set = sceneSet({ split: "test", seed: 5, count: 1100, sprites });
    const dataset = await openImages(path("shards"), { log: () => {} });
    let index = 0;
    for await (const batch of readImages(dataset, {}, { batchSize: 100, strict: true, workers: 0 })) {
      expect([batch.width, batch.height]).toEqual([32, 32]);
      for (const [i, caption] of batch.captions.entries()) {
        const scene = set.scenes[index];
        expect(caption).toBe(completeCaption(scene));
        expect(batch.labels[i]).toBe(String(identities.indexOf(scene.identity)));
        const pixels = Uint8Array.from(batch.images.subarray(i * 3072, (i + 1) * 3072), (value) =>
          Math.round(255 * value),
        );
        expect(Buffer.compare(pixels, set.images.subarray(index * 3072, (index + 1) * 3072))).toBe(0);
        images.push(pixels);
        index++;
      }
    }
    expect(index).toBe(1100);
  });

  it("has a record of each scene with all factors", async () => {
    records = [];
    for (const shard of ["00000.tar", "00001.tar"]) {
      const stream = new Blob([await readFile(path("shards", shard))]).stream();
      for await (const { header, body } of stream.pipeThrough(createTarDecoder())) {
        const text = await new Response(body).text();
        if (header.name.endsWith(".json")) records.push(JSON.parse(text));
      }
    }
    expect(records.map(({ index }) => index)).toEqual(Array.from({ length: 1100 }, (_, i) => i));
    const { scenes } = sceneSet({ split: "test", seed: 5, count: 1100, sprites });
    for (const [i, record] of records.entries()) {
      expect(record).toMatchObject({ ...scenes[i], split: "test", seed: 5 });
      checkScene("record", record);
      expect(identities[record.label]).toBe(record.identity);
      expect(record.clip_caption.length).toBeGreaterThan(0);
    }
    expect(records.some(({ full_caption }) => full_caption === "")).toBe(true);
  });

  it("has the same bytes each time, and other scenes for another seed or split", async () => {
    const small = { ...options, count: 40 };
    await exportScenes({ ...small, out: path("again") });
    await exportScenes({ ...small, out: path("once-more") });
    expect(await hashes(path("again"))).toEqual(await hashes(path("once-more")));
    const seen = new Set(images.map((pixels) => pixels.join()));
    expect(seen.size).toBe(1100);
    for (const other of [{ seed: 6 }, { split: "validation" }, { split: "train" }] as const) {
      const out = path(`other-${JSON.stringify(other).replace(/\W/g, "")}`);
      await exportScenes({ ...small, ...other, out });
      for await (const batch of readImages(await openImages(out, { log: () => {} }), {}, { workers: 0 })) {
        for (let i = 0; i < batch.names.length; i++) {
          const pixels = Uint8Array.from(batch.images.subarray(i * 3072, (i + 1) * 3072), (value) =>
            Math.round(255 * value),
          );
          expect(seen.has(pixels.join())).toBe(false);
        }
      }
    }
  });
});

describe("a folder", () => {
  it("has a folder for each identity and a table of all factors", async () => {
    await exportScenes({
      ...{ format: "folder", split: "validation", count: 60, size: 48, out: path("folder") },
      ...{ identities: "unknown", styles: "held-out" },
    });
    const dataset = await imageFolder(path("folder"), { log: () => {} });
    const rows = parse(await readFile(path("folder/metadata.csv"), "utf8"), { columns: true }) as Record<
      string,
      string
    >[];
    expect(rows.length).toBe(60);
    expect(dataset.length).toBe(60);
    for (const row of rows) {
      expect(row.file_name.startsWith(`${row.identity}/`)).toBe(true);
      expect([row.style, row.known]).toEqual(["twemoji", "false"]);
      for (const name of factorNames) expect(row[name]).toBeTruthy();
      const { width, height } = await sharp(await readFile(path("folder", row.file_name))).metadata();
      expect([width, height]).toEqual([48, 48]);
    }
  });
});

describe("pairs as of MMVP-VLM", () => {
  it("are read back by the reader of MMVP-VLM, and differ in exactly one factor", async () => {
    await exportScenes({ format: "mmvp", split: "test", seed: 5, count: 32, out: path("mmvp") });
    const { statements, patterns, dataset } = await mmvpVLM(path("mmvp"));
    expect(patterns).toEqual(factorNames.flatMap((name) => Array(4).fill(name)));
    expect(statements.length).toBe(64);
    expect(new Set(statements.map((_, i) => i % 2 === 0 || statements[i] !== statements[i - 1]))).toEqual(
      new Set([true]),
    );
    const facts = JSON.parse(await readFile(path("mmvp/pairs.json"), "utf8")) as {
      factor: keyof Scene;
      scenes: [Scene, Scene];
      twins: [Scene, Scene];
    }[];
    for (const { factor, scenes, twins } of facts) {
      for (const [a, b] of [scenes, twins]) {
        const differing = (Object.keys(a) as (keyof Scene)[]).filter((key) => a[key] !== b[key]);
        expect(differing).toEqual([factor]);
      }
    }
    const { images } = scenePairs({ split: "test", seed: 5, perFactor: 4, sprites });
    let at = 0;
    for await (const batch of readImages(dataset, {}, { strict: true, workers: 0 })) {
      for (let i = 0; i < batch.names.length; i++, at++) {
        const own = batch.images.subarray(i * 3072, (i + 1) * 3072);
        const first = (4 * Math.floor(at / 2) + (at % 2)) * 3072;
        const difference =
          own.reduce((sum, value, j) => sum + Math.abs(255 * value - images[first + j]), 0) / 3072;
        // JPEG of quality 100.
        expect(difference).toBeLessThan(2);
      }
    }
    expect(at).toBe(64);
  });

  it("are evaluated by dcr evaluate", async () => {
    const encoder = fileURLToPath(new URL("../../../../packages/cli/fixtures/models/clip", import.meta.url));
    const out = path("figures");
    await runCommandLine(
      [
        "evaluate",
        "--encoder",
        encoder,
        "--device",
        "wasm",
        "--out",
        out,
        "--on",
        `mmvp:${path("mmvp")},folder:${path("folder")}`,
      ],
      { base: folder },
    );
    const text = await readFile(join(out, "results.json"), "utf8");
    expect(text).toContain("MMVP-VLM");
    expect(text).toContain('"count"');
    expect(JSON.parse(text).figures.folder.ACC).toBeGreaterThan(0);
  });
});

describe("exportScenes", () => {
  it.each([
    [{ format: "parquet" }, 'export: format must be one of webdataset, folder, mmvp, got "parquet"'],
    [{ split: "dev" }, 'split must be one of train, validation, test, got "dev"'],
    [{ count: 0 }, "export: count must be an integer, at least 1, got 0"],
    [{ size: 8 }, "size must be an integer, at least 16 and at most 4096, got 8"],
    [{ styles: "apple" }, 'export: styles must be one of all, seen, held-out, got "apple"'],
    [{ colour: true }, 'export: unknown option "colour"'],
    [{ format: "mmvp", count: 20 }, "export: count must be a multiple of 16 for mmvp"],
    [{ format: "mmvp", count: 16, styles: "held-out" }, "styles must have at least 2"],
  ])("refuses %j before it writes", async (wrong, message) => {
    const out = path("refused");
    const options = { format: "webdataset", split: "test", count: 1, out, ...wrong } as ExportOptions;
    await expect(exportScenes(options)).rejects.toThrow(message);
    await expect(readdir(out)).rejects.toThrow(/ENOENT/);
  });

  it("refuses a folder that holds something", async () => {
    await writeFile(path("note.txt"), "mine");
    const options = { format: "folder", split: "test", count: 1, out: folder } as const;
    await expect(exportScenes(options)).rejects.toThrow(/must be empty, it holds /);
  });
});
