import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { testImages, writeTestShards } from "@dcr-js/testing/images";
import { packTar } from "modern-tar";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ImageEntry } from "./dataset.js";
import { webDataset } from "./webdataset.js";

let root = "";
let files: string[] = [];
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "webdataset-"));
  files = await writeTestShards(root, { count: 10, shards: 2 });
});
afterAll(() => rm(root, { recursive: true }));

async function all(iterable: AsyncIterable<ImageEntry>): Promise<ImageEntry[]> {
  const entries: ImageEntry[] = [];
  for await (const entry of iterable) entries.push(entry);
  return entries;
}

describe("webDataset", () => {
  it("reads samples of CC3M's form, from tar and from tar.gz alike", async () => {
    const dataset = await webDataset(join(root, "{00000..00001}.tar"));
    const entries = [...(await all(dataset.open(0))), ...(await all(dataset.open(1)))];
    const images = await testImages(10);
    expect(entries.map(({ caption }) => caption)).toEqual(images.map(({ caption }) => caption));
    expect(entries.map(({ label }) => label)).toEqual(images.map(({ name }) => name.split("/")[0]));
    expect(entries.map(({ name }) => name).slice(4, 6)).toEqual(["00000.tar/04", "00001.tar/05"]);
    for (const [i, { content }] of entries.entries()) {
      expect("bytes" in content && Buffer.from(content.bytes).equals(images[i]!.bytes)).toBe(true);
    }
    const gz = join(root, "zipped.tar.gz");
    await writeFile(gz, gzipSync(await readFile(files[0]!)));
    const zipped = await all((await webDataset(gz)).open(0));
    expect(zipped.map(({ content }) => content)).toEqual(entries.slice(0, 5).map(({ content }) => content));
    await writeFile(gz, gzipSync(await readFile(files[0]!)).subarray(0, 9000));
    const cut = await webDataset(gz);
    await expect(all(cut.open(0))).rejects.toThrow(`webDataset: ${gz}: the archive is cut short`);
  });

  it("names a tar that is cut short, wherever, and what is no tar, before anything is read", async () => {
    const whole = await readFile(files[0]!);
    const cut = join(root, "cut.tar");
    const end = whole.length - 1024;
    for (const length of [100, 512, 1024, 5000, 512 * 30, end - 512]) {
      await writeFile(cut, whole.subarray(0, length));
      await expect(webDataset(cut), `${length} bytes`).rejects.toThrow(
        `webDataset: ${cut}: the archive is cut short`,
      );
    }
    await writeFile(cut, "<html>  ".repeat(64));
    await expect(webDataset(cut)).rejects.toThrow(`webDataset: ${cut}: the archive cannot be read`);
    // A cut between two members leaves no trace but the missing zeros.
    await writeFile(cut, whole.subarray(0, end));
    await expect(webDataset(cut)).rejects.toThrow(`webDataset: ${cut}: the archive is cut short`);
    await rm(cut);
  });

  it("names samples whose texts cannot be read, and tells of links, which it does not follow", async () => {
    const image = (await testImages(1))[0]!.bytes;
    const file = (name: string, body: string | Uint8Array) => ({ header: { name, size: body.length }, body });
    const texts: Record<string, string | Uint8Array> = {
      "good.txt": "\uFEFFa caption",
      "latin.txt": Uint8Array.of(0xe9, 0x20),
      "long.txt": "x".repeat(2 ** 20 + 1),
      "twice.json": '{"caption":"x","caption":"y"}',
      "deep.json": "[".repeat(1e5),
      "list.json": "[1]",
      "words.json": '{"caption":["a"]}',
      "none.json": '{"caption":null,"label":3}',
    };
    const bytes = await packTar([
      ...Object.entries(texts).flatMap(([name, text]) => [
        file(name.replace(/\.\w+$/, ".jpg"), image),
        file(name, typeof text === "string" ? new TextEncoder().encode(text) : text),
      ]),
      { header: { name: "other.png", size: 0, type: "symlink", linkname: "good.jpg" } },
      { header: { name: "same.png", size: 0, type: "link", linkname: "good.jpg" } },
    ]);
    const shard = join(root, "texts.tar");
    await writeFile(shard, bytes);
    const messages: string[] = [];
    const dataset = await webDataset(shard, { log: (message) => messages.push(message) });
    const entries = await all(dataset.open(0));
    expect(messages).toEqual([
      `webDataset: ${shard}: not read: 1 symbolic links (other.png), 1 hard links (same.png)`,
    ]);
    expect(entries.map(({ content }) => ("broken" in content ? content.broken : "read"))).toEqual([
      "read",
      "has a txt member that is not UTF-8",
      "has a txt member of 1048577 bytes, more than 1048576",
      'has a json member that is not valid JSON: key "caption" is there twice',
      "has a json member that is not valid JSON: nested more than 64 deep",
      "has a json member that is no object: [1]",
      'has a json member whose "caption" is no text: ["a"]',
      "read",
    ]);
    expect([entries[0]!.caption, entries[7]!.caption, entries[7]!.label]).toEqual([
      "a caption",
      undefined,
      "3",
    ]);
    await rm(shard);
  });

  it("can be left early, and read again", async () => {
    const dataset = await webDataset(files);
    const first: string[] = [];
    for (let turn = 0; turn < 20; turn++) {
      for await (const { name } of dataset.open(1)) {
        first.push(name);
        break;
      }
    }
    expect(first).toEqual(Array.from({ length: 20 }, () => "00001.tar/05"));
  });

  it("refuses lists that make no sense, and empty files", async () => {
    await expect(webDataset([])).rejects.toThrow(/patterns must name at least one file/);
    await expect(webDataset([files[0]!, ""])).rejects.toThrow(/must be a path or a list of paths, got ""/);
    await expect(webDataset([files[0]!, files[0]!])).rejects.toThrow(
      `webDataset: ${files[0]} is named twice`,
    );
    await expect(webDataset(files, { shuffle: true } as never)).rejects.toThrow(/unknown option "shuffle"/);
    const empty = join(root, "empty.tar");
    await writeFile(empty, "");
    await expect(webDataset(empty)).rejects.toThrow(`webDataset: ${empty}: the archive is empty`);
  });

  it("names images by the shards' folders where these differ", async () => {
    const folders = await Promise.all(
      ["train", "val"].map((name) => writeTestShards(join(root, name), { count: 2, shards: 1 })),
    );
    const dataset = await webDataset(folders.flat());
    const [first] = await all(dataset.open(0));
    const [second] = await all(dataset.open(1));
    expect([first!.name, second!.name]).toEqual(["train/00000.tar/00", "val/00000.tar/00"]);
  });

  it("tells shards apart by name and size, wherever they lie", async () => {
    const both = await webDataset(files);
    const again = await webDataset(join(root, "0*.tar"));
    const one = await webDataset(files[0]!);
    expect(both.fingerprint).toBe(again.fingerprint);
    expect(both.fingerprint).not.toBe(one.fingerprint);
  });
});
