import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { imageFolder } from "./image-folder.js";

let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "image-folder-"));
});
afterAll(() => rm(root, { recursive: true }));

async function write(folder: string, names: string[]): Promise<void> {
  for (const name of names) {
    await mkdir(join(folder, name, ".."), { recursive: true });
    await writeFile(join(folder, name), "");
  }
}

describe("imageFolder", () => {
  it("lists images of folders in folders, sorted by code and not by locale", async () => {
    const folder = join(root, "plain");
    await write(folder, ["b/2.PNG", "b/10.jpg", "a/x/1.webp", "B/1.tiff", "z.jpeg", "a-b/1.gif", "é/1.avif"]);
    const log: string[] = [];
    const dataset = await imageFolder(folder, { log: (message) => log.push(message) });
    const entries = Array.from({ length: dataset.length }, (_, i) => dataset.entry(i));
    expect(entries.map(({ name, label }) => [name, label])).toEqual([
      ["B/1.tiff", "B"],
      ["a-b/1.gif", "a-b"],
      ["a/x/1.webp", "a"],
      ["b/10.jpg", "b"],
      ["b/2.PNG", "b"],
      ["z.jpeg", undefined],
      ["é/1.avif", "é"],
    ]);
    expect(entries[0]!.content).toEqual({ path: join(folder, "B/1.tiff") });
    expect(dataset.labels).toEqual(["B", "a-b", "a", "b", "é"].sort());
    expect(log).toEqual([]);
  });

  it("follows links once, and names what it does not read", async () => {
    const folder = join(root, "links");
    await write(folder, ["a/1.png", "a/notes.txt", ".DS_Store", ".cache/2.png", "readme", "c.json", "d.csv"]);
    await write(root, ["elsewhere/3.png"]);
    await symlink("..", join(folder, "a/loop"));
    await symlink(join(root, "elsewhere"), join(folder, "linked"));
    await symlink(join(root, "elsewhere"), join(folder, "linked-again"));
    await symlink("nowhere.png", join(folder, "dangling.png"));
    execFileSync("mkfifo", [join(folder, "pipe.png")]);
    await mkdir(join(folder, "empty/below"), { recursive: true });
    const log: string[] = [];
    const dataset = await imageFolder(folder, { log: (message) => log.push(message) });
    expect(Array.from({ length: dataset.length }, (_, i) => dataset.entry(i).name)).toEqual([
      "a/1.png",
      "linked/3.png",
    ]);
    expect(log).toEqual([
      `imageFolder: ${folder}: not read: 2 hidden (.DS_Store, .cache), ` +
        "2 folders that were reached before (a/loop, linked-again), " +
        "4 without an image's ending (a/notes.txt, c.json, d.csv, ...), 1 links that lead nowhere (dangling.png), " +
        "1 folders without an image (empty), 1 neither file nor folder (pipe.png)",
    ]);
  });

  it.runIf(process.platform === "linux")("does not read names that are not UTF-8, and says so", async () => {
    const folder = join(root, "names");
    await write(folder, ["a.png", "\uFFFD.png"]);
    await writeFile(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff]), Buffer.from(".jpg")]), "");
    const log: string[] = [];
    const dataset = await imageFolder(folder, { log: (message) => log.push(message) });
    expect(Array.from({ length: dataset.length }, (_, i) => dataset.entry(i).name)).toEqual([
      "a.png",
      "\uFFFD.png",
    ]);
    expect(log).toEqual([`imageFolder: ${folder}: not read: 1 with a name that is not UTF-8 (\uFFFD.jpg)`]);
  });

  it("names a folder that is missing, empty, or no folder", async () => {
    const missing = join(root, "missing");
    await expect(imageFolder(missing)).rejects.toThrow(`imageFolder: ${missing} does not exist`);
    const empty = join(root, "empty");
    await mkdir(empty);
    await expect(imageFolder(empty)).rejects.toThrow(`imageFolder: ${empty} holds no images`);
    await write(empty, ["a.txt"]);
    await expect(imageFolder(empty)).rejects.toThrow(
      `imageFolder: ${empty} holds no images; not read: 1 without an image's ending (a.txt)`,
    );
    const file = join(empty, "a.txt");
    await expect(imageFolder(file)).rejects.toThrow(`imageFolder: ${file} is no folder`);
    await expect(imageFolder(empty, { recursive: true } as never)).rejects.toThrow(
      /unknown option "recursive"/,
    );
  });

  it("tells folders apart by their images' names", async () => {
    await write(root, ["one/a.png", "one/b.png", "two/a.png", "two/b.png", "three/a.png", "three/c.png"]);
    const [one, two, three] = await Promise.all(
      ["one", "two", "three"].map((name) => imageFolder(join(root, name))),
    );
    expect(one!.fingerprint).toBe(two!.fingerprint);
    expect(one!.fingerprint).not.toBe(three!.fingerprint);
  });
});
