import type { ImageDataset } from "@dcr-js/data";
import { expect, it } from "vitest";
import { checkNames } from "./check-names.js";

/** As many images as given, of one name. */
const images = (length: number, name: string): ImageDataset => ({
  access: "random",
  description: "",
  fingerprint: "",
  length,
  entry: () => ({ name, content: { path: name } }),
});

it("counts the bytes that names take as JSON in a header's JSON", () => {
  const name = `${"a".repeat(986)}"ä`;
  // Of `["<name>","<name>"]` in JSON, without the brackets: quotation marks take 2 bytes, and one inside a name 4.
  const bytes = Buffer.byteLength(JSON.stringify(JSON.stringify([name, name]))) - 4;
  expect(bytes).toBe(2 * (986 + 4 + 2 + 4) + 1);
  checkNames(images(100_000, name));
  expect(() => checkNames(images(100_400, name))).toThrow(
    "--images: the names of 100400 images take 100098800 bytes, and the header of a safetensors file at most 100000000; encode a part of them at a time",
  );
  // Nobody knows the names of shards before they are read.
  checkNames({
    ...images(0, ""),
    access: "stream",
    shards: 1,
    restartable: true,
    async *open() {},
  } as ImageDataset);
});
