import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { checkOutputFile, checkOutputFolder, refuseOtherThanSafetensors } from "./output-file.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "dcr-output-"));
  await writeFile(join(folder, "file"), "");
  await symlink("loop", join(folder, "loop"));
});
afterAll(() => rm(folder, { recursive: true }));

it("takes what can be made", () => {
  for (const name of ["", "new", "new/below"]) checkOutputFolder(join(folder, name));
  for (const name of ["new", "file"]) checkOutputFile(join(folder, name));
});

it("names a file where a folder should be, and a folder or a device where a file should be", () => {
  const message = `--out: ${join(folder, "file")} is a file, expected a folder`;
  expect(() => checkOutputFolder(join(folder, "file"))).toThrow(message);
  expect(() => checkOutputFolder(join(folder, "file/below/it"))).toThrow(message);
  expect(() => checkOutputFile(join(folder, "file/below"))).toThrow(
    `${join(folder, "file")}: no such folder`,
  );
  expect(() => checkOutputFile(folder)).toThrow("is a folder, expected a file");
  expect(() => checkOutputFolder(join(folder, "loop"))).toThrow(/^--out: .*loop: ELOOP/);
});

it.runIf(process.platform !== "win32")(
  "refuses what no folder can be made of, by the option's name",
  async () => {
    await symlink("nowhere", join(folder, "dangling"));
    for (const option of ["--out", "--latent-cache"]) {
      for (const [name, why] of [
        ["file", "is a file, expected a folder"],
        ["file/below/it", "is a file, expected a folder"],
        ["dangling", "is a link that leads nowhere"],
        ["dangling/below", "is a link that leads nowhere"],
        ["loop", "ELOOP"],
      ] as const) {
        expect(() => checkOutputFolder(join(folder, name), option), name).toThrow(
          new RegExp(`^${option}: ${join(folder, name.split("/")[0]!)}:? .*${why}`.replace(":? .*is", " is")),
        );
      }
      if (process.platform !== "linux") continue;
      expect(() => checkOutputFolder("/proc/nope", option)).toThrow(
        `${option}: /proc: nothing may be written here`,
      );
    }
  },
);

it.runIf(process.platform === "linux")("names a device, which a renamed file would replace", () => {
  expect(() => checkOutputFile("/dev/full")).toThrow("/dev/full is a device or a pipe, expected a file");
});

it("lets a safetensors file be replaced, and an empty one, and nothing else", async () => {
  const path = join(folder, "features");
  refuseOtherThanSafetensors(join(folder, "new"));
  refuseOtherThanSafetensors(join(folder, "file"));
  // The length of the header in 8 bytes, then its JSON: https://huggingface.co/docs/safetensors
  for (const [bytes, isSafetensors] of [
    [[2, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x7d], true],
    [[0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x7b], false],
    [[2, 0, 0, 0, 0, 0, 0, 0, 0x20, 0x7b], false],
    [[0x70, 0x61, 0x74, 0x68, 0x0a], false],
  ] as const) {
    await writeFile(path, Uint8Array.from(bytes));
    const check = () => refuseOtherThanSafetensors(path);
    if (isSafetensors) expect(check).not.toThrow();
    else expect(check).toThrow(`--out: ${path} is there already and is no safetensors file; `);
  }
});
