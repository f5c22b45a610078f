import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkPretrainedOptions, type PretrainedOptions, resolvePretrained } from "./pretrained-options.js";

describe("checkPretrainedOptions", () => {
  it("drops undefined options and names what it does not know", () => {
    expect(checkPretrainedOptions("M.fromPretrained", { storage: undefined, variant: "fp16" })).toEqual({
      variant: "fp16",
    });
    expect(() => checkPretrainedOptions("M.fromPretrained", { dtype: "F16" } as object)).toThrow(
      'M.fromPretrained: unknown option "dtype"',
    );
    expect(() => checkPretrainedOptions("M.fromPretrained", { storage: "int8" as "float16" })).toThrow(
      'M.fromPretrained: storage must be one of float32, float16, got "int8"',
    );
  });

  it("takes a function's own options beside, and names them first", () => {
    const load = (options: object | null) =>
      checkPretrainedOptions<PretrainedOptions & { text?: boolean }>("load", options as object, {
        text: "boolean",
      });
    expect(load({ text: false, variant: "fp16" })).toEqual({ text: false, variant: "fp16" });
    expect(() => load({ txt: false })).toThrow(
      'load: unknown option "txt"; expected some of text, storage, ',
    );
    expect(() => load({ text: 0 })).toThrow("load: text must be a boolean, got 0");
    expect(() => load(null)).toThrow("load: options must be an object, got null");
  });
});

describe("resolvePretrained", () => {
  it("gives the folder and its subfolder, and errors in the caller's name", async () => {
    const folder = await mkdtemp(join(tmpdir(), "pretrained-"));
    expect(
      await resolvePretrained("M.fromPretrained", folder, { storage: "float16", acceptKeys: ["x"] }),
    ).toBe(folder);
    expect(await resolvePretrained("M.fromPretrained", folder, { subfolder: "a/b" })).toBe(
      join(folder, "a", "b"),
    );
    await rm(folder, { recursive: true });
    await expect(resolvePretrained("M.fromPretrained", folder, undefined)).rejects.toThrow(
      /^M\.fromPretrained: ".*" is no folder \(.* does not exist\), and no model's id on the hub, which is owner\/name$/,
    );
  });
});
