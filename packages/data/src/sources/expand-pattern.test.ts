import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expandPattern } from "./expand-pattern.js";

let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "expand-pattern-"));
  for (const name of ["00000.tar", "00001.tar", "00002.tar", "10.tar", "odd [x] {1}.tar", "a.txt"]) {
    await writeFile(join(root, name), "");
  }
});
afterAll(() => rm(root, { recursive: true }));

const names = async (pattern: string) =>
  (await expandPattern(join(root, pattern))).map((file) => relative(root, file));

describe("expandPattern", () => {
  it("counts within braces, with zeros in front, and takes alternatives", async () => {
    expect(await names("{00000..00002}.tar")).toEqual(["00000.tar", "00001.tar", "00002.tar"]);
    expect(await names("{00002,10}.tar")).toEqual(["00002.tar", "10.tar"]);
  });

  it("finds files by globs, sorted, with braces too, and from the working directory", async () => {
    expect(await names("0000?.tar")).toEqual(["00000.tar", "00001.tar", "00002.tar"]);
    expect(await names("{1,00001}*.tar")).toEqual(["10.tar", "00001.tar"]);
    expect(await names("0000[12].tar")).toEqual(["00001.tar", "00002.tar"]);
    expect(await expandPattern("package.jso?")).toEqual(["package.json"]);
    expect(await expandPattern("src/sources/expand-patter?.ts")).toEqual(["src/sources/expand-pattern.ts"]);
  });

  it("takes a file of that very name first", async () => {
    expect(await names("odd [x] {1}.tar")).toEqual(["odd [x] {1}.tar"]);
  });

  it("names what is missing", async () => {
    await expect(names("{00000..00009}.tar")).rejects.toThrow(
      `webDataset: no such file: ${join(root, "00003.tar")}, ${join(root, "00004.tar")}, ${join(root, "00005.tar")}, ... (7 of 10 are missing)`,
    );
    await expect(names("b*.tar")).rejects.toThrow(`webDataset: no file matches ${join(root, "b*.tar")}`);
    await expect(names("{0..999999999}.tar")).rejects.toThrow(/names more than 100000 files/);
  });
});
