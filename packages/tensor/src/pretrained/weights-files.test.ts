import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeSafetensors } from "../io/files.js";
import { isWeightsFile, openWeights, readWeights } from "./weights-files.js";

const fixtures = fileURLToPath(new URL("../../fixtures/safetensors/", import.meta.url));
let folder: string;

beforeAll(async () => {
  await tf.setBackend("cpu");
  folder = await mkdtemp(join(tmpdir(), "weights-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("openWeights", () => {
  it("reads one tensor of a sharded model, and of a single file", async () => {
    await expectNoLeaks(async () => {
      const sharded = await openWeights(join(fixtures, "sharded"), "model");
      expect(sharded.keys().sort()).toEqual(["layers.0.weight", "layers.1.bias", "layers.1.weight"]);
      expect(sharded.info("layers.1.bias")).toMatchObject({ dtype: "F32", shape: [2] });
      const bias = await sharded.tensor("layers.1.bias");
      expectClose(bias, [1, -1]);
      await expect(sharded.tensor("none")).rejects.toThrow(/index\.json: has no tensor "none"$/);
      await sharded.close();

      const place = join(folder, "opened");
      await writeSafetensors(join(place, "model.safetensors"), { bias });
      const single = await openWeights(place, "model");
      const again = await single.tensor("bias");
      expectClose(again, bias);
      await single.close();
      tf.dispose([bias, again]);
    });
  });
});

it("reads tensors that are asked for at once, and closes every shard", async () => {
  const reader = await openWeights(join(fixtures, "sharded"), "model");
  const before = openFiles();
  const tensors = await Promise.all(
    reader.keys().flatMap((name) => [reader.tensor(name), reader.tensor(name)]),
  );
  await expect(Promise.all([reader.tensor("none"), reader.tensor("layers.1.bias")])).rejects.toThrow(
    "no tensor",
  );
  tf.dispose([...tensors, await reader.tensor("layers.1.bias")]);
  await reader.close();
  expect(openFiles()).toBe(before);
});

/** Descriptors of this process; 0 where the system does not tell. */
const openFiles = () => (existsSync("/proc/self/fd") ? readdirSync("/proc/self/fd").length : 0);

describe("variants and other formats", () => {
  it("reads a variant, whole and in shards, of both spellings of its index", async () => {
    const [one, two] = [tf.scalar(1), tf.scalar(2)];
    const value = async (place: string, variant?: string) => {
      const { w } = await readWeights(place, "model", { variant });
      const [read] = w!.dataSync();
      w!.dispose();
      return read;
    };
    await expectNoLeaks(async () => {
      const both = join(folder, "variants");
      await writeSafetensors(join(both, "model.safetensors"), { w: one });
      await writeSafetensors(join(both, "model.fp16.safetensors"), { w: two });
      expect([await value(both), await value(both, "fp16")]).toEqual([1, 2]);
      for (const index of ["model.safetensors.index.fp16.json", "model.fp16.safetensors.index.json"]) {
        const place = join(folder, `sharded-${index}`);
        const shard = "model.fp16-00001-of-00001.safetensors";
        await writeSafetensors(join(place, shard), { w: two });
        await writeFile(join(place, index), JSON.stringify({ weight_map: { w: shard } }));
        expect(await value(place, "fp16")).toBe(2);
        await expect(value(place)).rejects.toThrow(/it has .*; a variant is loaded with \{ variant \}$/);
      }
      await expect(value(both, "bf16")).rejects.toThrow(
        "has neither model.bf16.safetensors nor model.safetensors.index.bf16.json nor model.bf16.safetensors.index.json; it has",
      );
      await expect(value(both, "../fp16")).rejects.toThrow(
        "variant: expected a name of letters, digits, _ and -",
      );
    });
    tf.dispose([one, two]);
  });

  it.each([
    "pytorch_model.bin",
    "diffusion_pytorch_model.bin",
    "model.ckpt",
    "flax_model.msgpack",
    "tf_model.h5",
  ])("refuses %s with the line that converts it, on one line", async (name) => {
    const place = join(folder, `format-${name}`);
    await mkdir(place);
    await writeFile(join(place, name), "x");
    const error: Error = await openWeights(place, "model").then(
      () => new Error("opened"),
      (caught) => caught,
    );
    expect(error.message).toMatch(
      /has neither model\.safetensors nor .*format, which is not read: convert it with python -c/,
    );
    expect(error.message).toContain(name);
    expect(error.message).not.toContain("\n");
  });

  // An adapter's folder has no config.json, by which a library would know a class. Run in Python, the line converts one.
  it("converts tensors that are no model's one by one", async () => {
    const place = join(folder, "adapter's");
    await mkdir(place);
    await writeFile(join(place, "adapter_model.bin"), "x");
    const f = place.replace("'", "\\'");
    await expect(openWeights(place, "adapter_model")).rejects.toThrow(
      `convert it with python -c "import torch, safetensors.torch; f='${f}'; safetensors.torch.save_file({k: v.contiguous() for k, v in ` +
        "torch.load(f+'/adapter_model.bin', map_location='cpu', weights_only=True).items()}, " +
        `f+'/adapter_model.safetensors', {'format': 'pt'})"`,
    );
  });
});

describe("hostile folders", () => {
  it.skipIf(process.platform === "win32")("refuses FIFOs and folders in place of files", async () => {
    const place = join(folder, "fifo");
    await mkdir(join(place, "nested", "model.safetensors"), { recursive: true });
    execFileSync("mkfifo", [join(place, "model.safetensors"), join(place, "x.safetensors.index.json")]);
    await expect(openWeights(place, "model")).rejects.toThrow(
      `${place}/model.safetensors: expected a file, got a FIFO`,
    );
    await expect(openWeights(place, "x")).rejects.toThrow(
      "x.safetensors.index.json: expected a file, got a FIFO",
    );
    await expect(openWeights(join(place, "nested"), "model")).rejects.toThrow(
      "expected a file, got a folder",
    );
    await expect(openWeights(join(place, "model.safetensors"), "model")).rejects.toThrow(
      "expected a folder, got a file",
    );
  });

  it("opens an index of 20,000 tensors in one shard", async () => {
    const place = join(folder, "many");
    const value = tf.scalar(1);
    const names = Array.from({ length: 20_000 }, (_, i) => `layers.${i}.weight`);
    const shard = "model-00001-of-00001.safetensors";
    await writeSafetensors(join(place, shard), Object.fromEntries(names.map((name) => [name, value])));
    const index = { weight_map: Object.fromEntries(names.map((name) => [name, shard])) };
    await writeFile(join(place, "model.safetensors.index.json"), JSON.stringify(index));
    const reader = await openWeights(place, "model");
    expect(reader.keys()).toHaveLength(20_000);
    await reader.close();
    value.dispose();
  });

  it("reads tensors that the index leaves out, and refuses one that is in two shards", async () => {
    const place = join(folder, "two");
    const [one, two] = [tf.scalar(1), tf.scalar(2)];
    await writeSafetensors(join(place, "a.safetensors"), { a: one, both: one });
    await writeSafetensors(join(place, "b.safetensors"), { b: two });
    const index = join(place, "model.safetensors.index.json");
    await writeFile(index, JSON.stringify({ weight_map: { a: "a.safetensors", b: "b.safetensors" } }));
    await expectNoLeaks(async () => {
      const weights = await readWeights(place, "model");
      expect(Object.keys(weights).sort()).toEqual(["a", "b", "both"]);
      tf.dispose(weights);
    });
    await writeSafetensors(join(place, "b.safetensors"), { b: two, both: two });
    await expect(openWeights(place, "model")).rejects.toThrow(
      'index.json: tensor "both" is in both a.safetensors and b.safetensors',
    );
    tf.dispose([one, two]);
  });
});

describe("isWeightsFile", () => {
  it("knows the whole, shards, indexes and variants of its base name only", () => {
    const yes = [
      "model.safetensors",
      "model-00001-of-00002.safetensors",
      "model.fp16.safetensors",
      "model.fp16-00001-of-00002.safetensors",
      "model-00001-of-00002.fp16.safetensors",
      "model.safetensors.index.json",
      "model.safetensors.index.fp16.json",
      "model.fp16.safetensors.index.json",
    ];
    const no = [
      "model.safetensors.bak",
      "my-model.safetensors",
      "modelfile.safetensors",
      "config.json",
      "model.bin",
    ];
    expect(yes.filter((name) => !isWeightsFile(name, "model"))).toEqual([]);
    expect(no.filter((name) => isWeightsFile(name, "model"))).toEqual([]);
    expect(isWeightsFile("model.safetensors", "diffusion_pytorch_model")).toBe(false);
  });
});

describe("readWeights", () => {
  const check = (dict: Record<string, tf.Tensor>) => {
    expect(Object.keys(dict).sort()).toEqual(["layers.0.weight", "layers.1.bias", "layers.1.weight"]);
    expectClose(dict["layers.0.weight"]!, [0, 1, 2, 3]);
    expectClose(dict["layers.1.weight"]!, [4, 5, 6, 7]);
    expectClose(dict["layers.1.bias"]!, [1, -1]);
  };

  it("reads a sharded model, and prefers the single file", async () => {
    await expectNoLeaks(async () => {
      const sharded = await readWeights(join(fixtures, "sharded"), "model");
      check(sharded);
      const single = join(folder, "single");
      await cp(join(fixtures, "sharded"), single, { recursive: true });
      await writeSafetensors(join(single, "model.safetensors"), { only: sharded["layers.1.bias"]! });
      const dict = await readWeights(single, "model");
      expect(Object.keys(dict)).toEqual(["only"]);
      tf.dispose([sharded, dict]);
    });
  });

  it("names the folder or the files that are missing", async () => {
    await expect(readWeights(join(folder, "nowhere"), "model")).rejects.toThrow(/nowhere: no such folder$/);
    const empty = join(folder, "empty");
    await mkdir(empty);
    await expect(readWeights(empty, "model")).rejects.toThrow(
      `${empty}: has neither model.safetensors nor model.safetensors.index.json`,
    );
  });

  it.each<[string, string | object, RegExp]>([
    ["no JSON", "{", /index\.json: expected JSON \(/],
    [
      "no map",
      { metadata: {} },
      /index\.json: expected weight_map to be an object of file names, got undefined/,
    ],
    [
      "a path out of the folder",
      { weight_map: { w: "../other.safetensors" } },
      /expected the name of a safetensors file in the same folder for tensor "w", got "\.\.\/other\.safetensors"/,
    ],
    [
      "a shard that is not there",
      {
        weight_map: {
          "layers.0.weight": "model-00001-of-00002.safetensors",
          w: "model-00009-of-00009.safetensors",
        },
      },
      /model-00009-of-00009\.safetensors: no such file/,
    ],
    [
      "a tensor that its shard lacks",
      {
        weight_map: {
          "layers.0.weight": "model-00001-of-00002.safetensors",
          w: "model-00001-of-00002.safetensors",
        },
      },
      /model-00001-of-00002\.safetensors: has no tensor "w"/,
    ],
  ])("refuses an index with %s, and leaks nothing", async (_, index, message) => {
    const broken = join(folder, "broken");
    await cp(join(fixtures, "sharded"), broken, { recursive: true });
    await writeFile(
      join(broken, "model.safetensors.index.json"),
      typeof index === "string" ? index : JSON.stringify(index),
    );
    await expectNoLeaks(() => expect(readWeights(broken, "model")).rejects.toThrow(message));
  });
});
