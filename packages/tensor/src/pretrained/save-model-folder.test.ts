import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { initialize } from "../device/initialize.js";
import { openSafetensors, readSafetensors } from "../io/files.js";
import { Linear } from "../nn/layers.js";
import { Module } from "../nn/module.js";
import { Random } from "../random.js";
import { saveModelFolder } from "./save-model-folder.js";

class Small extends Module {
  body: Linear = new Linear(3, 4);
  projection?: Linear = new Linear(4, 2, { bias: false });
}

/** A layer that stands in for another, as a LoRA layer does. */
class Adapter extends Linear {
  readonly lora_A = new Linear(3, 1, { bias: false });
  override get isAdapter(): boolean {
    return true;
  }
}

let folder: string;
beforeAll(async () => {
  await initialize({ device: "cpu" });
  folder = await mkdtemp(join(tmpdir(), "save-model-"));
});
afterAll(() => rm(folder, { recursive: true }));

const save = (model: Module, place: string, parts: object = {}) =>
  saveModelFolder(model, place, { baseName: "model", config: { width: 4 }, like: new Small(), ...parts });
const text = (...path: string[]) => readFile(join(...path), "utf8");

describe("saveModelFolder", () => {
  it("writes weights, settings and other files, and removes what was the former model's", async () => {
    const place = await mkdtemp(join(folder, "whole-"));
    const former = [
      "model.safetensors.index.json",
      "model-00001-of-00002.safetensors",
      "model.fp16.safetensors",
      "model.safetensors.index.fp16.json",
    ];
    for (const name of [...former, "README.md", "other.safetensors"])
      await writeFile(join(place, name), "old");
    await expectNoLeaks(async () => {
      const model = new Small().initialize(new Random(1));
      const config = { layer_norm_eps: 1, torch_dtype: "float32", text_config: { dtype: "float32" } };
      await save(model, place, {
        config,
        dtype: "F16",
        files: { "vocab.json": new TextEncoder().encode("{}") },
      });
      expect((await readdir(place)).sort()).toEqual(
        ["README.md", "config.json", "model.safetensors", "other.safetensors", "vocab.json"].sort(),
      );
      expect(await text(place, "config.json")).toBe(
        `{\n  "layer_norm_eps": 1.0,\n  "torch_dtype": "float16",\n  "text_config": {\n    "dtype": "float16"\n  }\n}\n`,
      );
      const reader = await openSafetensors(join(place, "model.safetensors"));
      expect(reader.metadata).toEqual({ format: "pt" });
      expect(reader.info("body.weight").dtype).toBe("F16");
      await reader.close();
      const [state, weights] = [model.stateDict(), await readSafetensors(join(place, "model.safetensors"))];
      for (const [name, tensor] of Object.entries(state)) {
        expectClose(weights[name]!, tensor, { relative: 2 ** -11, absolute: 2 ** -25 });
      }
      tf.dispose([state, weights]);
      model.dispose();
    });
  });

  it("refuses a model with adapters, without a part, with other shapes or without values, and writes nothing", async () => {
    const place = join(folder, "nothing");
    await expectNoLeaks(async () => {
      const cases: [(model: Small) => Small, string][] = [
        [
          (model) => Object.assign(model, { body: new Adapter(3, 4) }),
          'merge or remove the adapters first; one is in place at "body"',
        ],
        [(model) => Object.assign(model, { projection: undefined }), 'weight "projection.weight" is missing'],
        [
          (model) => Object.assign(model, { projection: new Linear(4, 3, { bias: false }) }),
          'weight "projection.weight" has shape [3,4], by its settings expected [2,4]',
        ],
        [
          (model) => Object.assign(model, { projection: new Linear(4, 2) }),
          'weight "projection.bias" is not one of a Small of these settings',
        ],
      ];
      for (const [change, message] of cases) {
        const model = change(new Small()).initialize(new Random(1));
        await expect(save(model, place)).rejects.toThrow(`Small.savePretrained: ${message}`);
        model.dispose();
      }
      await expect(save(new Small(), place)).rejects.toThrow('weight "body.weight" has no value');
    });
    await expect(readdir(place)).rejects.toThrow("ENOENT");
  });

  // An empty text comes of an unset variable; it would stand for the working directory.
  it.each([undefined, null, "", 5, {}, ["x"]])(
    "refuses the folder %j, and touches nothing",
    async (place) => {
      const model = new Small().initialize(new Random(1));
      const before = (await readdir(".")).sort();
      await expect(save(model, place as never)).rejects.toThrow(
        "Small.savePretrained: folder must be a string, not empty, got",
      );
      expect((await readdir(".")).sort()).toEqual(before);
      model.dispose();
    },
  );

  it("leaves the former model whole when a file cannot be written", async () => {
    const place = await mkdtemp(join(folder, "former-"));
    const model = new Small().initialize(new Random(1));
    await save(model, place);
    const before = await readFile(join(place, "model.safetensors"));
    const names = (await readdir(place)).sort();
    const other = new Small().initialize(new Random(2));
    await expect(
      save(other, place, {
        files: { "vocab.json": new Uint8Array(1), "model.safetensors/below": new Uint8Array(1) },
      }),
    ).rejects.toThrow(/model\.safetensors\/below: could not be written/);
    expect((await readdir(place)).sort()).toEqual(names);
    expect((await readFile(join(place, "model.safetensors"))).equals(before)).toBe(true);
    await mkdir(join(place, "vocab.json"));
    await expect(save(other, place, { files: { "vocab.json": new Uint8Array(1) } })).rejects.toThrow(
      "vocab.json: could not be written (a folder is in its place)",
    );
    expect((await readdir(place)).sort()).toEqual([...names, "vocab.json"].sort());
    await expect(save(other, place, { dtype: "F64" })).rejects.toThrow(
      "Small.savePretrained: dtype must be one of",
    );
    model.dispose();
    other.dispose();
  });

  // IEEE 754: float16 holds up to 65504, and what is below 65520 rounds to that; bfloat16 has float32's range but 8 bits of precision.
  it.each([
    ["F16", 1e6, 'has the value 1000000, which is too large for F16; use dtype "BF16" or "F32"'],
    ["F16", 65520, 'has the value 65520, which is too large for F16; use dtype "BF16" or "F32"'],
    ["F16", 65519, undefined],
    ["BF16", 1e6, undefined],
    ["BF16", 3.4e38, /has the value 3\.39999\d+e\+38, which is too large for BF16; use dtype "F32"/],
    ["F32", 3.4e38, undefined],
    ["F32", Number.NaN, "expected finite values, got NaN"],
    ["F16", Number.NaN, "expected finite values, got NaN"],
    ["BF16", -Infinity, "expected finite values, got -Infinity"],
  ])("writes no %s weight that would not be finite: %d", async (dtype, value, message) => {
    const place = await mkdtemp(join(folder, "finite-"));
    const model = new Small().initialize(new Random(1));
    await save(model, place);
    const before = await readFile(join(place, "model.safetensors"));
    const changed = tf.fill([2, 4], value);
    model.projection!.weight.assign(changed);
    changed.dispose();
    const saving = save(model, place, { dtype });
    if (message === undefined) await saving;
    else {
      await expect(saving).rejects.toThrow(message);
      await expect(saving).rejects.toThrow('Small.savePretrained: tensor "projection.weight"');
      expect((await readFile(join(place, "model.safetensors"))).equals(before)).toBe(true);
      expect((await readdir(place)).sort()).toEqual(["config.json", "model.safetensors"]);
    }
    model.dispose();
  });

  it("removes files of the former model that this one lacks", async () => {
    const place = await mkdtemp(join(folder, "companions-"));
    for (const name of ["config.json", "tokenizer.json", "vocab.json", "notes.txt"])
      await writeFile(join(place, name), "old");
    const model = new Small().initialize(new Random(1));
    await save(model, place, {
      files: { "vocab.json": new TextEncoder().encode("{}") },
      companions: ["tokenizer.json", "vocab.json"],
    });
    expect((await readdir(place)).sort()).toEqual([
      "config.json",
      "model.safetensors",
      "notes.txt",
      "vocab.json",
    ]);
    expect(await text(place, "vocab.json")).toBe("{}");
    await save(model, place, { companions: ["tokenizer.json", "vocab.json"] });
    expect(await text(place, "vocab.json")).toBe("{}");
    model.dispose();
  });

  it("refuses unknown parts", async () => {
    const model = new Small().initialize(new Random(1));
    await expect(save(model, join(folder, "unknown"), { dtpye: "F16" })).rejects.toThrow(
      'Small.savePretrained: unknown option "dtpye"',
    );
    await expect(save(model, join(folder, "unknown"), { baseName: "weights" })).rejects.toThrow(
      "Small.savePretrained: baseName must be one of",
    );
    model.dispose();
  });
});
