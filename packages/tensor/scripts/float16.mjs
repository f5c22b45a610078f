// Measures float16 storage on this machine's WebGPU adapter: a transformer's bytes, error and time, with its weights
// stored as float16, and with its activations too, beside float32. Built packages are measured: `npm run build` first.
import { parseArgs } from "node:util";
import {
  float16Activations,
  gelu,
  initialize,
  LayerNorm,
  Linear,
  Module,
  MultiHeadAttention,
  Random,
} from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";

const { values: options } = parseArgs({
  options: {
    device: { type: "string", default: "software" },
    rounds: { type: "string", default: "10" },
  },
});

class Block extends Module {
  constructor(width) {
    super();
    this.layer_norm1 = new LayerNorm(width);
    this.self_attn = new MultiHeadAttention(width, { heads: 8 });
    this.layer_norm2 = new LayerNorm(width);
    this.fc1 = new Linear(width, 4 * width);
    this.fc2 = new Linear(4 * width, width);
  }

  forward(x) {
    return tf.tidy(() => {
      const h = tf.add(x, this.self_attn.forward(this.layer_norm1.forward(x)));
      return tf.add(h, this.fc2.forward(gelu(this.fc1.forward(this.layer_norm2.forward(h)))));
    });
  }
}

class Transformer extends Module {
  layers = Array.from({ length: 6 }, () => new Block(256));
  norm = new LayerNorm(256);

  forward(x) {
    return tf.tidy(() => this.norm.forward(this.layers.reduce((h, layer) => layer.forward(h), x)));
  }
}

const { adapter } = await initialize({ device: options.device });
const model = () => new Transformer().initialize(new Random(1)).requiresGrad(false);
const [full, half] = [model(), model().storeAs("float16")];
const x = new Random(2).normal([4, 197, 256]);
const ways = {
  float32: { model: full, forward: (input) => full.forward(input) },
  weights: { model: half, forward: (input) => half.forward(input) },
  "weights and activations": {
    model: half,
    forward: (input) => float16Activations(() => half.forward(input)),
  },
};

/** Bytes on the device, beside the weights, when a forward pass ends whose gradient will be taken; it is not, for it would tell nothing. */
function heldBytes(forward) {
  const before = tf.memory().numBytesInGPU;
  let held = 0;
  const enough = new Error("enough");
  try {
    tf.grad((input) => {
      forward(input);
      held = tf.memory().numBytesInGPU - before;
      throw enough;
    })(x);
  } catch (error) {
    if (error !== enough) throw error;
  }
  return held;
}

const distance = (a, b) => Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0));
const valuesOf = async (forward) => {
  const y = forward(x);
  const values = await y.data();
  y.dispose();
  return values;
};

const expected = await valuesOf(ways.float32.forward);
const rows = {};
for (const [name, { model, forward }] of Object.entries(ways)) {
  const values = await valuesOf(forward);
  const size = ({ shape, storage }) => tf.util.sizeFromShape(shape) * (storage === "float16" ? 2 : 4);
  rows[name] = {
    "weights, MB": model.parameters().reduce((sum, parameter) => sum + size(parameter), 0) / 1e6,
    "held for gradients, MB": heldBytes(forward) / 1e6,
    "relative error": distance(values, expected) / distance(expected, new Float32Array(expected.length)),
    "time, ms": Number.POSITIVE_INFINITY,
    "processor's time, ms": Number.POSITIVE_INFINITY,
  };
}
// They take turns, and the best counts. Where others use the machine too, the processor's time says what a software adapter took.
for (let round = 0; round < Number(options.rounds); round++) {
  for (const [name, { forward }] of Object.entries(ways)) {
    const [start, startOfCpu] = [performance.now(), process.cpuUsage()];
    await valuesOf(forward);
    const { user, system } = process.cpuUsage(startOfCpu);
    rows[name]["time, ms"] = Math.min(rows[name]["time, ms"], performance.now() - start);
    rows[name]["processor's time, ms"] = Math.min(rows[name]["processor's time, ms"], (user + system) / 1000);
  }
}
console.log(`${adapter}: six layers of width 256, 4 x 197 tokens, the best of ${options.rounds}`);
console.table(rows);
process.exit(0);
