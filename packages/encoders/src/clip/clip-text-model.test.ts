import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { initialize, Random, readSafetensors, type StateDict, valueAndGradients } from "@dcr-js/tensor";
import { expectCloseNorm } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { CLIPTextModel } from "./clip-text-model.js";

const fixture = (name: string) => fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url));
/** float32 against float64 through two layers. */
const tolerance = { relative: 1e-5 };
const tiny = {
  vocab_size: 10,
  hidden_size: 4,
  intermediate_size: 6,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  max_position_embeddings: 5,
  eos_token_id: 9,
};

let tensors = 0;
beforeEach(() => {
  tensors = tf.memory().numTensors;
});
afterEach(() => expect(tf.memory().numTensors).toBe(tensors));

describe.each([
  ["clip-text-quick-gelu", "cpu"],
  ["clip-text-gelu", "cpu"],
  ["clip-text-gelu", "wasm"],
] as const)("CLIPTextModel %s on %s", (name, device) => {
  let golden: StateDict;
  let model: CLIPTextModel;
  beforeAll(async () => {
    await initialize({ device });
    golden = await readSafetensors(join(fixture(name), "golden.safetensors"));
    model = await CLIPTextModel.fromPretrained(fixture(name));
  });
  afterAll(() => {
    tf.dispose(golden);
    model.dispose();
  });

  it("gives transformers' last hidden state and pooled state", () => {
    const output = model.forward(golden["input_ids"] as tf.Tensor2D);
    expectCloseNorm(output.lastHiddenState, golden["last_hidden_state"]!, tolerance);
    expectCloseNorm(output.pooled, golden["pooled"]!, tolerance);
    tf.dispose([output.lastHiddenState, output.pooled]);
  });

  it("gives PyTorch's gradient of every weight", () => {
    const names = Array.from(model.namedParameters(), ([parameterName]) => parameterName);
    const { value, gradients } = valueAndGradients(() => {
      const output = model.forward(golden["input_ids"] as tf.Tensor2D);
      const hidden = tf.sum(tf.mul(output.lastHiddenState, golden["cotangent_hidden"]!));
      return tf.add(hidden, tf.sum(tf.mul(output.pooled, golden["cotangent_pooled"]!))) as tf.Scalar;
    }, model.parameters());
    for (const [index, parameterName] of names.entries()) {
      // A key's bias shifts every score of a query alike: its gradient is zero, and so is not compared relatively.
      const expected = golden[`gradient.${parameterName}`]!;
      if (parameterName.endsWith("k_proj.bias")) {
        expectCloseNorm(gradients[index]!, expected, { absolute: 1e-4 });
      } else expectCloseNorm(gradients[index]!, expected, tolerance);
    }
    tf.dispose([value, ...gradients]);
  });

  it("is causal: a later token does not change earlier states", () => {
    const ids = golden["input_ids"] as tf.Tensor2D;
    const values = ids.arraySync();
    for (const row of values) row[row.length - 1] = 7;
    const changed = tf.tensor2d(values, undefined, "int32");
    const [first, second] = [model.forward(ids), model.forward(changed)];
    const [batch, tokens, width] = first.lastHiddenState.shape;
    const early = (x: tf.Tensor3D) => tf.tidy(() => tf.slice(x, 0, [batch, tokens - 1, width]).dataSync());
    expect(early(second.lastHiddenState)).toEqual(early(first.lastHiddenState));
    tf.dispose([changed, ...Object.values(first), ...Object.values(second)]);
  });

  it("saves a folder that loads back with equal weights", async () => {
    const folder = await mkdtemp(join(tmpdir(), "clip-text-"));
    await model.savePretrained(folder);
    expect((await readdir(folder)).sort()).toEqual(["config.json", "model.safetensors"]);
    const text = await readFile(join(folder, "config.json"), "utf8");
    // transformers 5 refuses an integer here.
    expect(text).toMatch(/"initializer_factor": 1\.0,/);
    const config = JSON.parse(text);
    expect(config.hidden_act).toBe(model.config.hidden_act);
    expect(config.architectures).toEqual(["CLIPTextModel"]);
    const again = await CLIPTextModel.fromPretrained(folder);
    const [before, after] = [model.stateDict(), again.stateDict()];
    expect(Object.keys(after)).toEqual(Object.keys(before));
    for (const [key, value] of Object.entries(before))
      expect(after[key]!.dataSync()).toEqual(value.dataSync());
    tf.dispose([before, after]);
    again.dispose();
    await rm(folder, { recursive: true });
  });

  it("saves in half precision and says so", async () => {
    const folder = await mkdtemp(join(tmpdir(), "clip-text-"));
    await model.savePretrained(folder, { dtype: "F16" });
    expect(JSON.parse(await readFile(join(folder, "config.json"), "utf8")).dtype).toBe("float16");
    const again = await CLIPTextModel.fromPretrained(folder);
    const output = again.forward(golden["input_ids"] as tf.Tensor2D);
    // Half precision keeps 11 bits.
    expectCloseNorm(output.lastHiddenState, golden["last_hidden_state"]!, { relative: 2 ** -10 });
    tf.dispose([output.lastHiddenState, output.pooled]);
    again.dispose();
    await rm(folder, { recursive: true });
  });
});

describe("CLIPTextModel", () => {
  beforeAll(() => initialize({ device: "cpu" }));

  it("starts with the same values from the same seed", () => {
    const [model, twin, other] = [1, 1, 2].map((seed) =>
      new CLIPTextModel(tiny).initialize(new Random(seed)),
    );
    const values = ({ text_model }: CLIPTextModel) =>
      text_model.encoder.layers[0]!.mlp.fc2.weight.value.dataSync();
    expect(values(model!)).toEqual(values(twin!));
    expect(values(model!)).not.toEqual(values(other!));
    for (const each of [model, twin, other]) each!.dispose();
  });

  it("normalises by layer_norm_eps, in the end too", () => {
    const ids = tf.tensor2d([[1, 2, 3]], undefined, "int32");
    const largest = (layer_norm_eps: number) => {
      const model = new CLIPTextModel({ ...tiny, layer_norm_eps }).initialize(new Random(2));
      const value = tf.tidy(() => tf.max(tf.abs(model.forward(ids).lastHiddenState)).dataSync()[0]!);
      model.dispose();
      return value;
    };
    // Embeddings start at a deviation near 0.02, which is small beside an epsilon of 1.
    expect(largest(1e-5)).toBeGreaterThan(0.9);
    expect(largest(1)).toBeLessThan(0.3);
    ids.dispose();
  });

  it("pools at position 0 where there is no end-of-text token", () => {
    const model = new CLIPTextModel(tiny).initialize(new Random(2));
    const ids = tf.tensor2d([[1, 2, 3]], undefined, "int32");
    const { lastHiddenState, pooled } = model.forward(ids);
    expect(Array.from(pooled.dataSync())).toEqual(Array.from(lastHiddenState.dataSync()).slice(0, 4));
    tf.dispose([ids, lastHiddenState, pooled]);
    model.dispose();
  });

  it("names wrong settings and inputs", async () => {
    expect(() => new CLIPTextModel({ ...tiny, hidden_act: "relu" as "gelu" })).toThrow(
      /CLIPTextConfig: hidden_act: .*quick_gelu.*got "relu"/,
    );
    expect(() => new CLIPTextModel({ ...tiny, num_attention_heads: 3 })).toThrow(
      /hidden_size must be a multiple of num_attention_heads/,
    );
    const model = new CLIPTextModel(tiny).initialize(new Random(0));
    const run = (ids: number[][], dtype: "int32" | "float32" = "int32") =>
      tf.tidy(() => void model.forward(tf.tensor2d(ids, undefined, dtype)));
    expect(() => run([[1, 2, 10]])).toThrow(
      /token ids must be in 0\.\.9 \(vocab_size 10\), got 10 at \[0, 2\]/,
    );
    expect(() => run([[1], [-1]])).toThrow(/got -1 at \[1, 0\]/);
    expect(() => run([[1, 2, 3, 4, 5, 6]])).toThrow(/int32 \[batch, 1\.\.5\], got int32 \[1,6\]/);
    expect(() => run([[1]], "float32")).toThrow(/got float32 \[1,1\]/);
    model.dispose();
    await expect(CLIPTextModel.fromPretrained(join(tmpdir(), "no-such-model"))).rejects.toThrow(
      /CLIPTextModel\.fromPretrained: ".*no-such-model" is no folder .* does not exist/,
    );
  });
});
