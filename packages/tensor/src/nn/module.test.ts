import "@tensorflow/tfjs-backend-cpu";
import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import "../shared/register-gradients.js";
import { storeAs } from "../ops/store-as.js";
import { valueAndGradients } from "../optim/value-and-gradients.js";
import { Random } from "../random.js";
import { Conv2d, Embedding, GroupNorm, LayerNorm, Linear } from "./layers.js";
import { Module } from "./module.js";
import { Parameter } from "./parameter.js";

/** One of each layer, nested as models nest them. */
class Everything extends Module {
  readonly scale = new Parameter([1]);
  readonly embeddings = new Embedding(5, 4);
  readonly blocks = [new Linear(4, 6), null, new Linear(6, 4, { bias: false })] as const;
  readonly conv_in = new Conv2d(2, 3, 3, { padding: 1 });
  readonly norms = { layer: "not a module" };
  readonly norm = new LayerNorm(4);
  readonly group_norm = new GroupNorm(3, 6);
}

const names = [
  "scale",
  "embeddings.weight",
  "blocks.0.weight",
  "blocks.0.bias",
  "blocks.2.weight",
  "conv_in.weight",
  "conv_in.bias",
  "norm.weight",
  "norm.bias",
  "group_norm.weight",
  "group_norm.bias",
];

beforeAll(() => tf.setBackend("cpu"));

const everything = () => new Everything().initialize(new Random(7));

describe("Module", () => {
  it("names every parameter of the tree by its path", () => {
    expect(Array.from(new Everything().namedParameters("model."), ([name]) => name)).toEqual(
      names.map((name) => `model.${name}`),
    );
  });

  it("has no memory before it is initialised or loaded, and says so when read", async () => {
    await expectNoLeaks(() => {
      const before = tf.memory().numTensors;
      const layer = new Linear(3, 2);
      expect(tf.memory().numTensors).toBe(before);
      expect(layer.weight.isMaterialized).toBe(false);
      expect(() => layer.weight.value).toThrow(/shape \[2,3\] was read before initialize\(\)/);
    });
  });

  it("initialises as PyTorch does, by seed and name", async () => {
    await expectNoLeaks(() => {
      const [a, b] = [everything(), everything()];
      const [first, second] = [a.parameters(), b.parameters()];
      for (const [i, parameter] of first.entries()) expectClose(parameter.value, second[i].value);
      const bound = 1 / Math.sqrt(2 * 3 * 3);
      const weights = Array.from(a.conv_in.weight.value.dataSync());
      expect(Math.max(...weights.map(Math.abs))).toBeLessThanOrEqual(bound);
      expect(Math.max(...weights)).toBeGreaterThan(0.7 * bound);
      expect(Math.min(...weights)).toBeLessThan(-0.7 * bound);
      expectClose(a.norm.weight.value, [1, 1, 1, 1]);
      expectClose(a.norm.bias.value, [0, 0, 0, 0]);
      expect(a.blocks[2].bias).toBeUndefined();
      a.dispose();
      b.dispose();
    });
  });

  it("writes convolutions as PyTorch's OIHW and reads them back, with the other layers' weights", async () => {
    await expectNoLeaks(() => {
      const [source, target] = [everything(), new Everything()];
      const dict = source.stateDict();
      expect(Object.keys(dict)).toEqual(names);
      expect(dict["conv_in.weight"].shape).toEqual([3, 2, 3, 3]);
      const oihw = dict["conv_in.weight"].arraySync() as number[][][][];
      const hwio = source.conv_in.weight.value.arraySync() as number[][][][];
      expect(oihw[2][1][0][1]).toBe(hwio[0][1][1][2]);
      target.loadStateDict(dict);
      tf.dispose(dict);
      for (const [i, parameter] of source.parameters().entries()) {
        expectClose(target.parameters()[i].value, parameter.value);
      }
      source.dispose();
      target.dispose();
    });
  });

  it("loads a part of a larger dict by prefix, and leaves the rest alone", async () => {
    await expectNoLeaks(() => {
      const dict = {
        "text.fc.weight": tf.ones([2, 3]),
        "text.fc.bias": tf.ones([2]),
        "vision.weight": tf.ones([9]),
      };
      const layer = new Linear(3, 2).loadStateDict(dict, { prefix: "text.fc." });
      expectClose(layer.bias!.value, [1, 1]);
      const bare = new Linear(3, 2, { bias: false });
      expect(() => bare.loadStateDict(dict, { prefix: "text.fc." })).toThrow(
        'Linear.loadStateDict: unexpected weight "text.fc.bias"',
      );
      expect(bare.weight.isMaterialized).toBe(false);
      bare.loadStateDict(dict, { prefix: "text.fc.", strict: false });
      tf.dispose(dict);
      layer.dispose();
      bare.dispose();
    });
  });

  it("changes nothing when a weight is missing or has another shape", async () => {
    await expectNoLeaks(() => {
      const layer = new Linear(3, 2).initialize(new Random(0));
      const before = layer.stateDict();
      const weight = tf.zeros([2, 3]);
      const bias = tf.zeros([3]);
      expect(() => layer.loadStateDict({ weight })).toThrow('Linear.loadStateDict: weight "bias" is missing');
      expect(() => layer.loadStateDict({ weight, bias })).toThrow(
        'Linear.loadStateDict: weight "bias" has shape [3], expected [2]',
      );
      expectClose(layer.weight.value, before["weight"]);
      tf.dispose([before, weight, bias]);
      layer.dispose();
    });
  });

  it("a state dict is a copy: later steps do not change it", async () => {
    await expectNoLeaks(() => {
      const weight = tf.tensor2d([[3]]);
      const layer = new Linear(1, 1, { bias: false }).loadStateDict({ weight });
      const dict = layer.stateDict();
      const moved = tf.tensor2d([[4]]);
      layer.weight.assign(moved);
      expectClose(dict["weight"], [3]);
      tf.dispose([weight, moved, dict] as tf.TensorContainer);
      layer.dispose();
    });
  });

  it("freezes a part: it is not listed, and its gradient is neither asked for nor computed", async () => {
    await expectNoLeaks(async () => {
      const model = everything();
      model.requiresGrad(false);
      expect(model.trainableParameters()).toEqual([]);
      model.blocks[2].requiresGrad(true);
      expect(model.trainableParameters()).toEqual([model.blocks[2].weight]);
      const x = tf.ones([3, 4]);
      const profile = await tf.profile(() => {
        const { value, gradients } = valueAndGradients(
          () => tf.tidy(() => tf.sum(model.blocks[2].forward(model.blocks[0].forward(x)))),
          model.trainableParameters(),
        );
        expect(gradients.map(({ shape }) => shape)).toEqual([[4, 6]]);
        return [value, ...gradients];
      });
      // Two products forward and one for the only gradient.
      expect(profile.kernels.filter(({ name }) => name === "BatchMatMul")).toHaveLength(3);
      expect(model.requiresGrad(true).trainableParameters()).toHaveLength(names.length);
      tf.dispose([x, profile.result as tf.Tensor[]]);
      model.dispose();
    });
  });

  it("refuses what is no state dict, no tensor and no source of random numbers", () => {
    const layer = new Linear(2, 1);
    const load =
      (dict: unknown, options = {}) =>
      () =>
        layer.loadStateDict(dict as never, options);
    for (const [dict, got] of [
      [null, "null"],
      [undefined, "undefined"],
      [[1], "an array of 1"],
      [new Map(), "a Map"],
      [layer, "a Linear"],
    ] as const) {
      expect(load(dict)).toThrow(
        `Linear.loadStateDict: expected an object of tensors by their names, got ${got}`,
      );
    }
    expect(load({ weight: [1, 2] })).toThrow(
      'Linear.loadStateDict: weight "weight" must be a tensor, got an array of 2',
    );
    expect(load({}, { prefix: 3 })).toThrow("Linear.loadStateDict: prefix must be a string, got 3");
    expect(() => layer.initialize(1 as never)).toThrow("Linear.initialize: random must be a Random, got 1");
    expect(() => layer.weight.assign([1] as never)).toThrow(
      "Parameter.assign: expected a tensor, got an array of 1",
    );
  });

  it("refuses a module that holds the one above it, and takes a private field", () => {
    class Child extends Module {
      readonly weight = new Parameter([1]);
      readonly #above: Module;
      constructor(
        above: Module,
        public parent?: Module,
      ) {
        super();
        this.#above = above;
      }
      get above(): Module {
        return this.#above;
      }
    }
    class Parent extends Module {
      readonly layers = [new Child(this), new Child(this)];
    }
    const model = new Parent();
    expect(model.layers[0].above).toBe(model);
    expect(model.parameters()).toHaveLength(2);
    model.layers[1].parent = model;
    const walks = [
      () => model.parameters(),
      () => model.train(),
      () => model.enableGradientCheckpointing(),
      () => model.dispose(),
    ];
    for (const walk of walks) {
      expect(walk).toThrow(
        "Parent: layers.1.parent holds a module that it is a part of; keep that in a private field, such as #parent",
      );
    }
    model.layers[1].parent = undefined;
    model.dispose();
  });

  it("train() reaches every module of the tree", () => {
    const model = new Everything();
    const modes = () => [model, ...Array.from(model.children(), ([, child]) => child)].map((m) => m.training);
    expect(new Set(modes())).toEqual(new Set([false]));
    model.train();
    expect(new Set(modes())).toEqual(new Set([true]));
    model.train(false);
    expect(new Set(modes())).toEqual(new Set([false]));
  });
});

describe("Parameter", () => {
  it("refuses a value of another shape", () => {
    const value = tf.zeros([3]);
    expect(() => new Parameter([2]).assign(value)).toThrow("Parameter.assign: expected shape [2], got [3]");
    value.dispose();
  });
});

describe("Embedding", () => {
  it("looks rows up by ids of any shape, and sums the gradients of a repeated id", async () => {
    await expectNoLeaks(() => {
      const weight = tf.tensor2d([0, 1, 2, 3, 4, 5, 6, 7], [4, 2]);
      const layer = new Embedding(4, 2).loadStateDict({ weight });
      const ids = tf.tensor2d(
        [
          [3, 0],
          [3, 3],
        ],
        [2, 2],
        "int32",
      );
      const y = layer.forward(ids);
      expect(y.shape).toEqual([2, 2, 2]);
      expectClose(y, [6, 7, 0, 1, 6, 7, 6, 7]);
      const { value, gradients } = valueAndGradients(() => tf.sum(layer.forward(ids)), [layer.weight]);
      expectClose(gradients[0], [1, 1, 0, 0, 0, 0, 3, 3]);
      tf.dispose([weight, ids, y, value, gradients] as tf.TensorContainer);
      layer.dispose();
    });
  });

  it("refuses ids of another type, which would be cut", async () => {
    await expectNoLeaks(() => {
      const layer = new Embedding(4, 2).initialize(new Random(1));
      const ids = tf.tensor1d([1.7, 2]);
      const before = tf.memory().numTensors;
      expect(() => layer.forward(ids)).toThrow(
        "Embedding.forward: ids must be an int32 tensor, got float32 [2]",
      );
      expect(() => layer.forward([1] as never)).toThrow("got an array of 1");
      expect(tf.memory().numTensors).toBe(before);
      ids.dispose();
      layer.dispose();
    });
  });

  it("refuses a storage that it does not know", () => {
    const layer = new Embedding(4, 2).initialize(new Random(1));
    expect(() => layer.storeAs("float99" as "float32")).toThrow(
      'Embedding.storeAs: storage must be one of float32, float16, got "float99"',
    );
    expect(() => storeAs(layer.weight.value as tf.Tensor, "float99" as "float32")).toThrow(
      'storeAs: storage must be one of float32, float16, got "float99"',
    );
    layer.dispose();
  });
});

describe("gradient checkpointing", () => {
  class Stack extends Module {
    readonly layers = [new Linear(4, 4), new Linear(4, 4), new Linear(4, 4)];
    runs = 0;

    forward(x: tf.Tensor): tf.Tensor {
      return this.layers.reduce(
        (hidden, layer) =>
          this.runBlock(
            (y) => {
              this.runs++;
              return tf.tidy(() => tf.tanh(layer.forward(y)));
            },
            [hidden],
          ),
        x,
      );
    }
  }
  class Model extends Module {
    readonly encoder = new Stack();
  }

  it("is switched on and off for the tree, runs blocks twice, and changes no number", async () => {
    const model = new Model().initialize(new Random(1));
    const x = tf.ones([2, 4]);
    const gradients = () =>
      valueAndGradients(() => tf.sum(model.encoder.forward(x)) as tf.Scalar, model.parameters()).gradients;
    const plain = gradients();
    expect(model.encoder.runs).toBe(3);
    expect(model.enableGradientCheckpointing().encoder.layers[0].gradientCheckpointing).toBe(true);
    const kept = gradients();
    expect(model.encoder.runs).toBe(9);
    for (const [i, gradient] of plain.entries()) expectClose(kept[i], gradient);
    model.enableGradientCheckpointing(false);
    gradients();
    expect(model.encoder.runs).toBe(12);
  });
});

describe("tied parameters", () => {
  class Tied extends Module {
    readonly embed = new Embedding(3, 2);
    readonly head: Linear;

    constructor() {
      super();
      this.head = new Linear(2, 3, { bias: false });
      (this.head as { weight: Parameter }).weight = this.embed.weight;
    }
  }

  it("count once, have each of their names in a state dict, and load from one of them", async () => {
    const model = new Tied().initialize(new Random(1));
    expect(Array.from(model.namedParameters(), ([name]) => name)).toEqual(["embed.weight", "head.weight"]);
    expect(model.parameters()).toEqual([model.embed.weight]);
    expect(model.trainableParameters()).toHaveLength(1);
    expect(Object.keys(model.stateDict())).toEqual(["embed.weight", "head.weight"]);
    model.loadStateDict({ "head.weight": tf.ones([3, 2]) });
    expectClose(model.embed.weight.value, [1, 1, 1, 1, 1, 1]);
    expect(() => model.loadStateDict({})).toThrow('weight "embed.weight" is missing');
  });

  it("loads nothing where one weight has another type, or no room for its layout", async () => {
    const model = new Everything().initialize(new Random(1));
    const before = await model.scale.value.data();
    const dict = model.stateDict();
    const other = { ...dict, scale: tf.fill([1], 5) };
    expect(() => model.loadStateDict({ ...other, "norm.weight": tf.ones([4], "int32") })).toThrow(
      "must be float32, got",
    );
    const gone = tf.clone(dict["conv_in.weight"]);
    gone.dispose();
    expect(() => model.loadStateDict({ ...other, "conv_in.weight": gone })).toThrow("disposed");
    expectClose(model.scale.value, before);
  });
});
