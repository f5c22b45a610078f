import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  AdamW,
  initialize,
  Linear,
  Module,
  Random,
  readSafetensors,
  type StateDict,
  valueAndGradients,
} from "@dcr-js/tensor";
import { expectClose, expectCloseNorm } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { CLIPModel } from "../clip/clip-model.js";
import { addLoRA, type LoRA } from "./lora.js";
import { LoRALinear } from "./lora-linear.js";

const fixture = (name: string) => fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url));
/** float32 against float64 through two layers. */
const tolerance = { relative: 1e-5 };

/** Two layers in an array and one under a name that only ends like a target. */
class Small extends Module {
  readonly blocks = [new Linear(4, 4), new Linear(4, 4)];
  readonly q_proj = new Linear(4, 3, { bias: false });
  readonly not_q_proj = new Linear(4, 3);
  forward(x: tf.Tensor2D): tf.Tensor2D {
    return tf.tidy(() => {
      const h = this.blocks.reduce((value, block) => tf.tanh(block.forward(value)), x);
      return tf.add(this.q_proj.forward(h), this.not_q_proj.forward(h));
    });
  }
}

const named = (module: Module) => Array.from(module.namedParameters(), ([name]) => name);
const trainable = (module: Module) =>
  Array.from(module.namedParameters()).flatMap(([name, { trainable }]) => (trainable ? [name] : []));

beforeAll(() => initialize({ device: "cpu" }));
let tensors = 0;
beforeEach(() => {
  tensors = tf.memory().numTensors;
});
afterEach(() => expect(tf.memory().numTensors).toBe(tensors));

describe("addLoRA beside peft", () => {
  const options = {
    rank: 3,
    alpha: 6,
    dropout: 0,
    bias: "lora_only",
    targetModules: ["q_proj", "fc1"],
  } as const;
  let golden: StateDict;
  let adapters: StateDict;
  let pixels: tf.Tensor4D;
  beforeAll(async () => {
    golden = await readSafetensors(join(fixture("lora"), "golden.safetensors"));
    const entries = Object.entries(golden).filter(([key]) => key.startsWith("adapters."));
    adapters = Object.fromEntries(entries.map(([key, value]) => [key.slice("adapters.".length), value]));
    pixels = golden["pixels"] as tf.Tensor4D;
  });
  afterAll(() => tf.dispose(golden));

  it("gives peft's features, gradients and merged weights, from peft's own file", async () => {
    const model = await CLIPModel.fromPretrained(fixture("clip-quick-gelu"));
    const names = named(model);
    const lora = addLoRA(model, options).loadStateDict(adapters);
    const image = model.encodeImage(pixels);
    expectCloseNorm(image, golden["image_embeds"]!, tolerance);

    const trained = Array.from(model.namedParameters()).filter(([, parameter]) => parameter.trainable);
    const withGradient = trained.filter(([name]) => `gradient.${name}` in golden);
    expect(withGradient.length).toBe(Object.keys(golden).filter((key) => key.startsWith("gradient.")).length);
    expect(new Set(trained.map(([, parameter]) => parameter))).toEqual(new Set(lora.parameters()));
    const { value, gradients } = valueAndGradients(
      () => tf.sum(tf.mul(model.encodeImage(pixels), golden["cotangent"]!)) as tf.Scalar,
      withGradient.map(([, parameter]) => parameter),
    );
    for (const [index, [name]] of withGradient.entries()) {
      expectCloseNorm(gradients[index]!, golden[`gradient.${name}`]!, tolerance);
    }

    lora.merge();
    const merged = model.encodeImage(pixels);
    expectCloseNorm(merged, golden["image_embeds"]!, tolerance);
    expectCloseNorm(model.vision_model.encoder.layers[1]!.mlp.fc1.weight.value, golden["merged"]!, {
      relative: 1e-6,
    });
    expect(named(model)).toEqual(names);
    tf.dispose([image, value, ...gradients, merged]);
    model.dispose();
  });

  it("gives a state dict with peft's names and the same values", async () => {
    const model = await CLIPModel.fromPretrained(fixture("clip-quick-gelu"));
    const lora = addLoRA(model, options).loadStateDict(adapters);
    const dict = lora.stateDict();
    expect(Object.keys(dict).sort()).toEqual(Object.keys(adapters).sort());
    for (const [name, value] of Object.entries(dict))
      expect(value.dataSync()).toEqual(adapters[name]!.dataSync());
    tf.dispose(dict);
    lora.remove();
    model.dispose();
  });
});

describe("addLoRA", () => {
  const input = () => new Random(5).normal([6, 4]) as tf.Tensor2D;

  it("changes nothing before the first step, freezes the model, and puts everything back", () => {
    const model = new Small().initialize(new Random(1));
    model.q_proj.weight.trainable = false;
    const [names, trains] = [named(model), trainable(model)];
    const x = input();
    const before = model.forward(x);
    const lora = addLoRA(model, { rank: 2, targetModules: ["q_proj", "blocks.1"], random: new Random(3) });
    expect(Array.from(lora.layers.keys()).sort()).toEqual(["blocks.1", "q_proj"]);
    const factors = ["blocks.1", "q_proj"].flatMap((path) => [
      `${path}.lora_A.weight`,
      `${path}.lora_B.weight`,
    ]);
    expect(trainable(model).sort()).toEqual(factors);
    const after = model.forward(x);
    expect(after.dataSync()).toEqual(before.dataSync());
    lora.remove();
    expect(model.q_proj).not.toBeInstanceOf(LoRALinear);
    expect([named(model), trainable(model)]).toEqual([names, trains]);
    tf.dispose([x, before, after]);
    model.dispose();
  });

  it("starts A as Kaiming-uniform with a = sqrt(5) does, B at zero, from the seed", () => {
    class Wide extends Module {
      readonly fc1 = new Linear(100, 8);
    }
    const start = (seed: number) => {
      const model = new Wide().initialize(new Random(1));
      const lora = addLoRA(model, { rank: 40, random: new Random(seed) });
      const layer = lora.layers.get("fc1")!;
      const [a, b] = [layer.lora_A.weight.value.dataSync(), layer.lora_B.weight.value.dataSync()];
      lora.remove();
      model.dispose();
      return [a, b] as const;
    };
    const [a, b] = start(7);
    expect(a.length).toBe(4000);
    // U(-0.1, 0.1): sqrt(6 / ((1 + 5) 100)).
    expect(Math.max(...a)).toBeLessThanOrEqual(0.1);
    expect(Math.max(...a)).toBeGreaterThan(0.099);
    expect(Math.min(...a)).toBeLessThan(-0.099);
    expect(b.every((value) => value === 0)).toBe(true);
    expect(start(7)[0]).toEqual(a);
    expect(start(8)[0]).not.toEqual(a);
  });

  it("merges what it computed: equal outputs after training steps", () => {
    const model = new Small().initialize(new Random(1));
    const lora = addLoRA(model, { rank: 2, alpha: 3, dropout: 0.5, targetModules: ["0", "1", "q_proj"] });
    const x = input();
    const optimizer = new AdamW(lora.parameters(), { learningRate: 0.05 });
    const losses = [];
    for (let step = 0; step < 5; step++) {
      const { value, gradients } = valueAndGradients(
        () => tf.mean(tf.square(tf.sub(model.forward(x), 1))) as tf.Scalar,
        lora.parameters(),
      );
      optimizer.step(gradients);
      losses.push(value.dataSync()[0]!);
      tf.dispose([value, ...gradients]);
    }
    expect(losses.at(-1)!).toBeLessThan(losses[0]!);
    const adapted = model.forward(x);
    lora.merge();
    const merged = model.forward(x);
    expectClose(merged, adapted, { absolute: 2e-6 });
    expect(() => lora.merge()).toThrow(/merged or removed before/);
    optimizer.dispose();
    tf.dispose([x, adapted, merged]);
    model.dispose();
  });

  it("merges and unmerges while the adapters stay", () => {
    const model = new Small().initialize(new Random(1));
    const lora = addLoRA(model, { rank: 2, targetModules: ["q_proj"], random: new Random(2) });
    const layer = model.q_proj as LoRALinear;
    const factor = new Random(4).normal([3, 2]);
    layer.lora_B.weight.value.assign(factor);
    const x = input();
    const [before, weight] = [model.forward(x), layer.weight.value.dataSync()];
    lora.mergeAdapter();
    expect(layer.merged).toBe(true);
    expect(layer.weight.value.dataSync()).not.toEqual(weight);
    const merged = model.forward(x);
    expectClose(merged, before, { absolute: 2e-6 });
    lora.mergeAdapter();
    lora.unmergeAdapter();
    const after = model.forward(x);
    expectClose(after, before, { absolute: 2e-6 });
    expectClose(layer.weight.value, weight, { absolute: 1e-6 });
    lora.mergeAdapter();
    // A merged adapter is not merged twice.
    lora.merge();
    const plain = model.forward(x);
    expectClose(plain, before, { absolute: 2e-6 });
    expect(() => lora.mergeAdapter()).toThrow(/mergeAdapter: the adapters were merged or removed before/);
    tf.dispose([x, factor, before, merged, after, plain]);
    model.dispose();
  });

  // W + scaling B A - scaling B A = W, by the B and A of the merge (Hu et al. 2022, section 4.1).
  it.each<[string, (lora: LoRA) => void]>([
    [
      "loadStateDict",
      (lora) => {
        const dict = lora.stateDict();
        const large = Object.fromEntries(
          Object.entries(dict).map(([name, value]) => [name, tf.fill(value.shape, 50)]),
        );
        lora.loadStateDict(large);
        tf.dispose([dict, large]);
      },
    ],
    [
      "assign",
      (lora) => {
        for (const parameter of lora.parameters()) {
          const large = tf.fill(parameter.shape, 50);
          parameter.assign(large);
          large.dispose();
        }
      },
    ],
  ])("takes out what it merged, also where the factors changed since by %s", (_, change) => {
    const model = new Small().initialize(new Random(1));
    const weight = model.q_proj.weight.value.dataSync().slice();
    const attach = () => {
      const lora = addLoRA(model, { rank: 2, targetModules: ["q_proj"], random: new Random(2) });
      for (const { lora_B } of lora.layers.values()) {
        const factor = new Random(4).normal(lora_B.weight.shape);
        lora_B.weight.assign(factor);
        factor.dispose();
      }
      lora.mergeAdapter();
      change(lora);
      return lora;
    };
    const unmerged = attach();
    unmerged.unmergeAdapter();
    expectClose(model.q_proj.weight.value, weight, { absolute: 1e-6 });
    expect(unmerged.layers.get("q_proj")!.lora_B.weight.value.dataSync()[0]).toBe(50);
    unmerged.remove();
    attach().remove();
    expectClose(model.q_proj.weight.value, weight, { absolute: 2e-6 });
    // A model that is disposed while merged keeps nothing.
    attach();
    model.dispose();
  });

  it("takes one set of adapters at a time, so that what trains is put back", () => {
    const model = new Small().initialize(new Random(1));
    const trains = trainable(model);
    const first = addLoRA(model, { rank: 2, targetModules: ["q_proj"] });
    expect(() => addLoRA(model, { rank: 2, targetModules: ["blocks.0"] })).toThrow(
      "addLoRA: q_proj is adapted already; merge or remove that first",
    );
    first.merge();
    expect(trainable(model)).toEqual(trains);
    const second = addLoRA(model, { rank: 2, targetModules: ["blocks.0"] });
    second.merge();
    expect(trainable(model)).toEqual(trains);
    model.dispose();
  });

  it("gives the same gradients where each layer is checkpointed, by the same masks", async () => {
    const model = await CLIPModel.fromPretrained(fixture("clip-quick-gelu"));
    const lora = addLoRA(model, { rank: 2, dropout: 0.5, within: "vision_model", random: new Random(1) });
    const pixels = new Random(3).normal([2, 16, 16, 3]) as tf.Tensor4D;
    for (const layer of lora.layers.values()) {
      const factor = new Random(6).normal(layer.lora_B.weight.shape);
      layer.lora_B.weight.value.assign(factor);
      factor.dispose();
    }
    model.train();
    const state = lora.random.state;
    const run = () => {
      lora.random.state = state;
      return valueAndGradients(
        () => tf.sum(tf.square(model.encodeImage(pixels))) as tf.Scalar,
        lora.parameters(),
      );
    };
    const plain = run();
    const next = lora.random.state;
    model.enableGradientCheckpointing();
    const checkpointed = run();
    expect(lora.random.state).toEqual(next);
    expectClose(checkpointed.value, plain.value);
    for (const [index, gradient] of checkpointed.gradients.entries()) {
      expectCloseNorm(gradient, plain.gradients[index]!, { relative: 1e-6 });
    }
    tf.dispose([pixels, plain.value, plain.gradients, checkpointed.value, checkpointed.gradients]);
    lora.remove();
    model.dispose();
  });

  it("drops inputs of the branch only, while training only, and replays its masks", () => {
    const model = new Small().initialize(new Random(1));
    const lora = addLoRA(model, {
      rank: 4,
      alpha: 4,
      dropout: 0.5,
      targetModules: ["q_proj"],
      random: new Random(2),
    });
    const layer = model.q_proj as LoRALinear;
    // With A the identity and B a row of ones, the branch is the sum of what is left of the input.
    const [identity, row] = [tf.eye(4), tf.ones<tf.Rank.R2>([3, 4])];
    layer.lora_A.weight.value.assign(identity);
    layer.lora_B.weight.value.assign(row);
    const x = tf.ones<tf.Rank.R2>([1000, 4]);
    const plain = layer.base.forward(x);
    const branch = () =>
      tf.tidy(() => Array.from(tf.slice(tf.sub(layer.forward(x), plain), [0, 0], [1000, 1]).dataSync()));
    expect(branch().every((value) => Math.abs(value - 4) < 1e-5)).toBe(true);
    model.train();
    expect(layer.training).toBe(true);
    const state = lora.random.state;
    const first = branch();
    const second = branch();
    lora.random.state = state;
    expect(branch()).toEqual(first);
    expect(second).not.toEqual(first);
    // Each of four inputs is 0 or 2: mean 4, standard error 2 / sqrt(1000) = 0.063.
    expect(Math.abs(first.reduce((sum, value) => sum + value, 0) / 1000 - 4)).toBeLessThan(0.26);
    expect(new Set(first.map((value) => Math.round(value)))).toEqual(new Set([0, 2, 4, 6, 8]));
    tf.dispose([identity, row, x, plain]);
    lora.remove();
    expect(model.q_proj.training).toBe(true);
    model.dispose();
  });

  it.each([
    ["none", []],
    ["lora_only", ["blocks.0.bias"]],
    ["all", ["blocks.0.bias", "blocks.1.bias", "not_q_proj.bias"]],
  ] as const)("trains the biases that %s names", (bias, expected) => {
    const model = new Small().initialize(new Random(1));
    const lora = addLoRA(model, { bias, targetModules: ["blocks.0", "q_proj"] });
    expect(trainable(model).filter((name) => name.endsWith("bias"))).toEqual(expected);
    expect(lora.parameters().length).toBe(4 + expected.length);
    lora.remove();
    model.dispose();
  });

  it("keeps within a part of the model", async () => {
    const model = await CLIPModel.fromPretrained(fixture("clip-quick-gelu"));
    const lora = addLoRA(model, { within: "vision_model", bias: "all", rank: 2 });
    expect(lora.layers.size).toBe(12);
    expect(Array.from(lora.layers.keys()).every((path) => path.startsWith("vision_model."))).toBe(true);
    const biases = named(model).filter((name) => /^vision_model\..*bias$/.test(name));
    expect(biases).toContain("vision_model.post_layernorm.bias");
    expect(
      trainable(model)
        .filter((name) => !name.includes(".lora_"))
        .sort(),
    ).toEqual(biases.sort());
    lora.remove();
    model.dispose();
  });

  it("names wrong options and state dicts", () => {
    const model = new Small().initialize(new Random(1));
    expect(() => addLoRA(model, { rank: 0 })).toThrow(/rank must be an integer, at least 1 .* got 0/);
    expect(() => addLoRA(model, { alpha: -1 })).toThrow(
      /alpha must be a finite number, greater than 0, got -1/,
    );
    expect(() => addLoRA(model, { dropout: 1 })).toThrow(/dropout must be .* less than 1, got 1/);
    expect(() => addLoRA(model, { bias: "some" as "all" })).toThrow(
      /bias must be one of none, all, lora_only, got "some"/,
    );
    expect(() => addLoRA(model, { within: "elsewhere" })).toThrow(/match no Linear within "elsewhere"/);
    expect(trainable(model)).toEqual(named(model));
    const lora = addLoRA(model, { targetModules: ["q_proj"], rank: 2 });
    expect(() => addLoRA(model, { targetModules: ["q_proj"] })).toThrow(/q_proj is adapted already/);
    expect(() => lora.loadStateDict({})).toThrow(/"base_model\.model\.q_proj\.lora_A\.weight" is missing/);
    const dict = lora.stateDict();
    const [key] = Object.keys(dict) as [string];
    const extra = tf.zeros([1]);
    expect(() => lora.loadStateDict({ ...dict, [key]: extra })).toThrow(/has shape \[1\], expected \[2,4\]/);
    expect(() => lora.loadStateDict({ ...dict, extra })).toThrow(/unexpected "extra"/);
    const [last] = Object.keys(dict).slice(-1) as [string];
    const [ints, gone] = [tf.zeros(dict[last]!.shape, "int32"), tf.zeros(dict[last]!.shape)];
    gone.dispose();
    const before = lora.parameters().map(({ value }) => value.dataSync().slice());
    const ones = Object.fromEntries(Object.entries(dict).map(([name, x]) => [name, tf.onesLike(x)]));
    for (const [wrong, message] of [
      [{ [last]: ints }, `"${last}" must be float32, got int32`],
      [{ [last]: gone }, `"${last}" was disposed`],
      // As long as peft's own prefix.
      [
        { [`other_model.abcd.${last.slice("base_model.model.".length)}`]: extra },
        'unexpected "other_model.abcd.',
      ],
    ] as [StateDict, string][]) {
      expect(() => lora.loadStateDict({ ...ones, ...wrong })).toThrow(message);
      expect(lora.parameters().map(({ value }) => value.dataSync().slice())).toEqual(before);
    }
    tf.dispose([ones, ints]);
    lora.remove();
    const withBias = addLoRA(model, { targetModules: ["blocks.0"], rank: 2, bias: "lora_only" });
    const factors = Object.entries(withBias.stateDict());
    const own = Object.fromEntries(factors);
    const { "base_model.model.blocks.0.base_layer.bias": bias, ...bare } = own;
    expect(bias).toBeDefined();
    expect(() => withBias.loadStateDict(bare)).toThrow(
      /blocks\.0\.base_layer\.bias" is missing; the adapters have bias "lora_only", but the file .* use bias "none"/,
    );
    withBias.remove();
    for (const method of ["merge", "remove", "mergeAdapter", "unmergeAdapter", "stateDict"] as const) {
      expect(() => withBias[method]()).toThrow(`LoRA.${method}: the adapters were merged or removed before`);
    }
    expect(() => withBias.loadStateDict(own)).toThrow(
      "LoRA.loadStateDict: the adapters were merged or removed before",
    );
    tf.dispose(own);
    tf.dispose([dict, extra]);
    model.dispose();
  });
});
