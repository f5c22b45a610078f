import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { initialize } from "../device/initialize.js";
import { writeSafetensors } from "../io/files.js";
import { Conv2d, Linear } from "../nn/layers.js";
import { Module } from "../nn/module.js";
import { hasFloat16Storage, storageOf } from "../ops/store-as.js";
import { Random } from "../random.js";
import { loadWeights } from "./load-weights.js";

class Small extends Module {
  readonly layers = [new Linear(3, 4), new Linear(4, 2, { bias: false })];
  readonly conv = new Conv2d(2, 3, 3);
}

const hasHalves = await initialize({ device: "software" }).then(hasFloat16Storage, () => false);
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "load-weights-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe.each(["cpu", "wasm"] as const)("loadWeights on %s", (device) => {
  beforeAll(async () => {
    await initialize({ device });
  });

  const save = async (name: string, change: (state: Record<string, tf.Tensor>) => void = () => {}) => {
    const model = new Small().initialize(new Random(1));
    const state = model.stateDict();
    const all = Object.values(state);
    change(state);
    await writeSafetensors(join(folder, name, "model.safetensors"), state);
    tf.dispose([all, state]);
    model.dispose();
    return join(folder, name);
  };

  it("gives a model the values of its file, and leaks nothing", async () => {
    await expectNoLeaks(async () => {
      const expected = new Small().initialize(new Random(1));
      const model = await loadWeights(new Small(), await save("whole"), { baseName: "model" });
      const [a, b] = [expected.stateDict(), model.stateDict()];
      for (const [name, tensor] of Object.entries(a)) expectClose(b[name]!, tensor);
      tf.dispose([a, b]);
      expected.dispose();
      model.dispose();
    });
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])(
    "refuses a weight of %d by the file and the tensor",
    async (value) => {
      const place = await save(`damaged ${value}`, (state) => {
        state["conv.bias"] = tf.tensor1d([0, value, 0]);
      });
      await expectNoLeaks(async () => {
        await expect(loadWeights(new Small(), place, { baseName: "model" })).rejects.toThrow(
          `${join(place, "model.safetensors")}: tensor "conv.bias": expected finite values, got ${value}`,
        );
      });
    },
  );

  it("takes names from elsewhere, and leaves what is not asked for in the file", async () => {
    const place = await save("prefixed", (state) => {
      for (const [name, tensor] of Object.entries(state)) {
        delete state[name];
        state[`tower.${name}`] = tensor;
      }
      state["other.weight"] = tf.scalar(3);
    });
    await expectNoLeaks(async () => {
      const model = await loadWeights(new Small(), place, {
        baseName: "model",
        names: (inFile) =>
          new Map(inFile.filter((name) => name.startsWith("tower.")).map((name) => [name, name.slice(6)])),
      });
      expect(model.parameters().every(({ isMaterialized }) => isMaterialized)).toBe(true);
      model.dispose();
    });
  });

  it("names every weight that does not fit, before it reads one", async () => {
    const place = await save("wrong", (state) => {
      state["layers.0.weight"] = tf.zeros([3, 4]);
      delete state["conv.bias"];
      state["extra"] = tf.scalar(1);
      // A buffer of older checkpoints.
      state["text_model.embeddings.position_ids"] = tf.range(0, 4, 1, "int32");
    });
    await expectNoLeaks(() =>
      expect(loadWeights(new Small(), place, { baseName: "model" })).rejects.toThrow(
        `Small.fromPretrained: ${place}: unexpected weight "extra"; ` +
          'weight "layers.0.weight" has shape [3,4], expected [4,3]; weight "conv.bias" is missing',
      ),
    );
  });

  it("names a weight of whole numbers, as quantized models hold them", async () => {
    const place = await save("quantized", (state) => {
      tf.dispose(state["layers.0.weight"]!);
      state["layers.0.weight"] = tf.ones([4, 3], "int32");
    });
    await expectNoLeaks(() =>
      expect(loadWeights(new Small(), place, { baseName: "model" })).rejects.toThrow(
        `Small.fromPretrained: ${place}: weight "layers.0.weight" is I32, expected floats`,
      ),
    );
  });

  it("leaves no weights in a model when a tensor in the middle cannot be read", async () => {
    const place = await save("damaged", (state) => {
      tf.dispose(state["conv.bias"]!);
      state["conv.bias"] = tf.tensor1d([0, Number.NaN, 0]);
    });
    await expectNoLeaks(async () => {
      const model = new Small();
      await expect(loadWeights(model, place, { baseName: "model" })).rejects.toThrow(
        `${join(place, "model.safetensors")}: tensor "conv.bias": expected finite values, got NaN`,
      );
      expect(model.parameters().some(({ isMaterialized }) => isMaterialized)).toBe(false);
    });
  });

  it("refuses float16 where it cannot be, and a storage that nobody knows", async () => {
    const place = await save("float16");
    await expect(loadWeights(new Small(), place, { baseName: "model", storage: "float16" })).rejects.toThrow(
      `Small.fromPretrained: storage "float16" needs WebGPU on an adapter with shader-f16`,
    );
    await expect(
      loadWeights(new Small(), place, { baseName: "model", storage: "int8" as "float16" }),
    ).rejects.toThrow('Small.fromPretrained: storage must be one of float32, float16, got "int8"');
    const misspelled = { baseName: "model", varient: "fp16" } as never;
    await expect(loadWeights(new Small(), place, misspelled)).rejects.toThrow('unknown option "varient"');
    const unknown = { baseName: "modle" as "model" };
    await expect(loadWeights(new Small(), place, unknown)).rejects.toThrow(
      'baseName must be one of model, diffusion_pytorch_model, got "modle"',
    );
  });
});

describe.runIf(hasHalves)("loadWeights as float16", () => {
  it.each(["F16", "BF16", "F32"] as const)("stores a file of %s as halves, frozen", async (dtype) => {
    await initialize({ device: "software" });
    await expectNoLeaks(async () => {
      const source = new Small().initialize(new Random(2));
      const state = source.stateDict();
      const place = join(folder, `halves-${dtype}`);
      await writeSafetensors(join(place, "model.safetensors"), state, { dtype });
      const model = await loadWeights(new Small(), place, { baseName: "model", storage: "float16" });
      for (const parameter of model.parameters()) {
        expect([storageOf(parameter.value), parameter.trainable]).toEqual(["float16", false]);
      }
      const back = model.stateDict();
      const relative = dtype === "BF16" ? 2 ** -8 : 2 ** -11;
      for (const [name, tensor] of Object.entries(state)) {
        expectClose(await back[name]!.data(), await tensor.data(), { relative, absolute: 2 ** -25 });
      }
      tf.dispose([state, back]);
      source.dispose();
      model.dispose();
    });
  });
});
