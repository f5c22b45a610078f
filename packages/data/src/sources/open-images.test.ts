import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeTestImages, writeTestShards } from "@dcr-js/testing/images";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openImages } from "./open-images.js";

let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "open-images-"));
  await writeTestImages(join(root, "photos"), 4);
  await writeTestShards(join(root, "shards"), { count: 4, shards: 2 });
  await writeFile(join(root, "list.csv"), "path\nphotos/a.png\n");
});
afterAll(() => rm(root, { recursive: true }));

describe("openImages", () => {
  it("reads the kind from what it is given", async () => {
    const image = { data: new Uint8Array(3), width: 1, height: 1 };
    const path = (name: string) => join(root, name);
    const description = async (input: Parameters<typeof openImages>[0]) =>
      (await openImages(input)).description;
    expect(await description(path("photos"))).toBe(`the folder ${path("photos")}`);
    expect(await description(path("shards"))).toBe(`2 shards from ${path("shards/00000.tar")} on`);
    expect(await description(path("shards/{00000..00001}.tar"))).toMatch(/^2 shards/);
    expect(await description(path("shards/*1.tar"))).toBe(`the shard ${path("shards/00001.tar")}`);
    expect(await description([path("shards/00001.tar")])).toMatch(/^the shard/);
    expect(await description(path("list.csv"))).toBe(`the table ${path("list.csv")}`);
    expect(await description([{ image }])).toBe("the list of images");
    expect(await description(async function* () {})).toBe('the stream "stream"');
    expect(await description((async function* () {})())).toBe('the stream "stream"');
  });

  it("takes a folder for a folder, whatever its name ends in", async () => {
    for (const name of ["photos.csv", "photos.tar", "photos.jsonl"]) {
      const folder = join(root, name);
      await mkdir(folder);
      await expect(openImages(folder)).rejects.toThrow(`imageFolder: ${folder} holds no images`);
    }
  });

  it("names what it cannot open", async () => {
    const missing = join(root, "missing");
    await expect(openImages(missing)).rejects.toThrow(`openImages: ${missing} does not exist`);
    await expect(openImages("")).rejects.toThrow('openImages: expected a path, got ""');
    await expect(openImages(`${missing}.tar`)).rejects.toThrow(`webDataset: no such file: ${missing}.tar`);
    const picture = join(root, "photos/stripes/00.jpg");
    await expect(openImages(picture)).rejects.toThrow(
      `openImages: ${picture} must be a folder, a tar, or a .csv, .tsv or .jsonl file`,
    );
    await expect(openImages(Promise.resolve("photos") as never)).rejects.toThrow(/got a Promise/);
    await expect(openImages([])).rejects.toThrow(/must be a list of at least one image/);
    await expect(openImages(root, { columns: {} })).rejects.toThrow(/the option columns is only for CSV/);
    await expect(openImages(root, { shuffle: 1 } as never)).rejects.toThrow(/unknown option "shuffle"/);
  });

  it("asks where a folder holds both images and tars", async () => {
    const both = join(root, "both");
    await mkdir(both);
    await writeFile(join(both, "a.png"), "");
    await writeFile(join(both, "b.tar"), "");
    await expect(openImages(both)).rejects.toThrow(
      `openImages: ${both} holds 1 tar files and 1 images; call imageFolder or webDataset`,
    );
  });
});
