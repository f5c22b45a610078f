import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeFolder } from "./write-folder.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "write-folder-"));
});
afterAll(() => rm(folder, { recursive: true }));

const contents = async (place: string) =>
  Object.fromEntries(
    await Promise.all(
      (await readdir(place)).map(async (name) => [name, await readFile(join(place, name), "utf8")]),
    ),
  );

describe("writeFolder", () => {
  it("replaces the former files and keeps others", async () => {
    const place = join(folder, "new", "place");
    await writeFolder(place, { files: { key: "1", a: "a1", b: "b1" }, key: "key", isFormer: () => false });
    await writeFile(join(place, "other"), "mine");
    const isFormer = (name: string) => name === "b" || name === "a";
    await writeFolder(place, { files: { key: "2", a: "a2" }, key: "key", isFormer });
    expect(await contents(place)).toEqual({ key: "2", a: "a2", other: "mine" });
  });

  it.each(["a", "key"])("leaves all as it was where a folder lies in the place of %s", async (blocked) => {
    const place = await mkdtemp(join(folder, "blocked-"));
    await writeFolder(place, { files: { b: "b1" }, key: "b", isFormer: () => false });
    await mkdir(join(place, blocked));
    await expect(
      writeFolder(place, { files: { key: "2", a: "a2", b: "b2" }, key: "key", isFormer: () => true }),
    ).rejects.toThrow(`${blocked}: could not be written (a folder is in its place)`);
    expect((await readdir(place)).sort()).toEqual(["b", blocked].sort());
    expect(await readFile(join(place, "b"), "utf8")).toBe("b1");
  });

  it("leaves all as it was where a file's contents fail", async () => {
    const place = await mkdtemp(join(folder, "failing-"));
    await writeFolder(place, { files: { key: "1", a: "a1" }, key: "key", isFormer: () => false });
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(8);
      throw new Error("no more");
    }
    await expect(
      writeFolder(place, { files: { a: failing(), key: "2" }, key: "key", isFormer: () => true }),
    ).rejects.toThrow(/a: could not be written \(no more\)/);
    expect(await contents(place)).toEqual({ key: "1", a: "a1" });
  });
});
