import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { normalTensor } from "../../test/normal-tensor.js";
import { testBackends } from "../../test/test-backends.js";
import { LayerNorm, Linear } from "../nn/layers.js";
import { Module } from "../nn/module.js";
import { valueAndGradients } from "../optim/value-and-gradients.js";
import { Random } from "../random.js";
import { gelu } from "./activation.js";
import { checkpoint } from "./checkpoint.js";
import { float16Activations, hasFloat16Storage, storageOf } from "./store-as.js";

/** A residual block of a transformer's feed-forward kind, with dropout. */
class Block extends Module {
  readonly norm: LayerNorm;
  readonly fc1: Linear;
  readonly fc2: Linear;

  constructor(
    width: number,
    private readonly random: Random,
  ) {
    super();
    this.norm = new LayerNorm(width);
    this.fc1 = new Linear(width, 4 * width);
    this.fc2 = new Linear(4 * width, width);
  }

  forward(x: tf.Tensor2D): tf.Tensor2D {
    return tf.tidy(() => {
      const hidden = gelu(this.fc1.forward(this.norm.forward(x)));
      const kept = tf.mul(hidden, tf.cast(tf.greater(this.random.uniform(hidden.shape), 0.1), "float32"));
      return tf.add(x, this.fc2.forward(kept as tf.Tensor2D));
    });
  }
}

function stack(depth: number, width: number) {
  const random = new Random(1);
  const blocks = Array.from({ length: depth }, (_, i) => {
    return new Block(width, random).initialize(new Random(i + 2));
  });
  const parameters = blocks.flatMap((block) => block.parameters());
  return { blocks, random, parameters };
}

describe.each(await testBackends())("checkpoint on $name", ({ start }) => {
  beforeAll(start);
  const normal = (seed: number, ...shape: number[]) => normalTensor<tf.Rank.R2>(seed, shape);

  it("has the value and the gradients of the plain path, to the bit, at inputs and parameters", async () => {
    const { blocks, random, parameters } = stack(3, 8);
    const input = normal(1, 5, 8);
    const drawn = random.state;
    const run = (through: (block: Block, x: tf.Tensor2D) => tf.Tensor2D) => {
      random.state = drawn;
      const f = () => tf.sum(tf.square(blocks.reduce((x, block) => through(block, x), input))) as tf.Scalar;
      const variables = [input, ...parameters.map(({ value }) => value as tf.Tensor)];
      const { value, grads } = tf.engine().gradients(f, variables);
      return { all: [value, ...grads], after: random.state };
    };
    const plain = run((block, x) => block.forward(x));
    await expectNoLeaks(() => tf.dispose(run((block, x) => checkpoint((y) => block.forward(y), [x])).all));
    const kept = run((block, x) => checkpoint((y) => block.forward(y), [x]));
    const nested = run((block, x) => checkpoint((y) => checkpoint((z) => block.forward(z), [y]), [x]));
    for (const [i, expected] of plain.all.entries()) {
      const values = await expected.data();
      expectClose(await kept.all[i].data(), values);
      expectClose(await nested.all[i].data(), values);
    }
    expect(kept.after).toEqual(plain.after);
    expect(nested.after).toEqual(plain.after);
  });

  it("holds one tensor for each block until the backward pass, and no intermediates", () => {
    const [depth, rows, width] = [6, 64, 16];
    const { blocks, parameters } = stack(depth, width);
    const held = (through: (block: Block, x: tf.Tensor2D) => tf.Tensor2D) => {
      let buffers = 0;
      const { value, gradients } = valueAndGradients(() => {
        const before = tf.memory().numDataBuffers;
        let x = tf.ones([rows, width]) as tf.Tensor2D;
        for (const block of blocks) x = through(block, x);
        buffers = tf.memory().numDataBuffers - before;
        return tf.sum(x) as tf.Scalar;
      }, parameters);
      tf.dispose([value, gradients]);
      return buffers;
    };
    expect(held((block, x) => block.forward(x))).toBeGreaterThan(8 * depth);
    expect(held((block, x) => checkpoint((y) => block.forward(y), [x]))).toBe(depth + 1);
  });

  it("takes several inputs and gives several outputs, of which some may be unused", async () => {
    const [a, b] = [normal(3, 4, 3), normal(4, 4, 3)];
    const f = (x: tf.Tensor2D, y: tf.Tensor2D) => [tf.mul(x, y), tf.add(x, tf.square(y)), tf.exp(x)];
    const gradients = (g: typeof f) =>
      tf.grads((x, y) => {
        const [product, sum] = g(x as tf.Tensor2D, y as tf.Tensor2D);
        return tf.add(tf.sum(tf.square(product)), tf.sum(tf.sin(sum)));
      })([a, b]);
    const plain = gradients(f);
    const kept = gradients((x, y) => checkpoint(f, [x, y]));
    for (const [i, gradient] of plain.entries()) {
      expectClose(await kept[i].data(), await gradient.data(), { relative: 1e-6, absolute: 1e-6 });
    }
  });

  it("gives nothing to what needs no gradient", () => {
    const { blocks } = stack(1, 8);
    const [block] = blocks;
    block.requiresGrad(false);
    const x = normal(5, 4, 8);
    let kernels: string[] = [];
    const backward = () => {
      const profiled = tf.engine().state;
      profiled.profiling = true;
      profiled.activeProfile.kernels = [];
      tf.dispose(tf.grad((y) => tf.sum(checkpoint((z) => block.forward(z), [y as tf.Tensor2D])))(x));
      kernels = profiled.activeProfile.kernels.map(({ name }) => name);
      profiled.profiling = false;
    };
    backward();
    expect(kernels).toContain("LayerNormGradInput");
    expect(kernels).not.toContain("LayerNormGradWeight");
  });

  it("repeats tf.dropout, which draws its seed from Math.random", async () => {
    const x = normal(6, 20, 20);
    let masked: tf.Tensor | undefined;
    const gradient = tf.grad((y) =>
      checkpoint(
        (z) => {
          const dropped = tf.dropout(z, 0.5);
          masked ??= tf.keep(tf.clone(dropped));
          return dropped;
        },
        [y],
      ),
    )(x);
    expectClose(await tf.mul(x, gradient).data(), await masked!.data(), { relative: 1e-6 });
  });

  it("takes gradients inside a tidy, variableGrads and customGrad", async () => {
    const w = tf.variable(tf.tensor1d([2, 3]), true);
    const loss = () => tf.sum(checkpoint((x) => tf.mul(tf.square(w), x), [tf.tensor1d([5, 7])])) as tf.Scalar;
    const { grads } = tf.tidy(() => tf.variableGrads(loss, [w]));
    expectClose(await Object.values(grads)[0].data(), [20, 42]);
    const inside = tf.customGrad((x) => ({
      value: checkpoint((y) => tf.square(y), [x as tf.Tensor]),
      gradFunc: (dy: tf.Tensor) => tf.mul(dy, 3),
    }));
    expectClose(
      await tf
        .grad((x) => inside(x))(tf.tensor1d([4]))
        .data(),
      [3],
    );
    w.dispose();
  });

  it("runs fn once where nothing is differentiated", async () => {
    let runs = 0;
    const x = tf.tensor1d([3]);
    const y = checkpoint(
      (z) => {
        runs++;
        return z;
      },
      [x],
    );
    x.dispose();
    expectClose(await y.data(), [3]);
    expect(runs).toBe(1);
  });

  it("says that a gradient passes through a tensor that fn was not given, and that one was disposed", () => {
    const [x, one] = [tf.tensor1d([1, 2]), tf.tensor1d([1])];
    expect(() => tf.grad((y) => checkpoint(() => tf.square(y), []))(x)).toThrow(
      /checkpoint: fn reads a tensor of shape \[2\] that a gradient passes through; pass it in inputs/,
    );
    const constant = tf.grad((y) => checkpoint((z) => tf.mul(z, one), [y]))(x);
    expect(constant.shape).toEqual([2]);
    const early = () =>
      tf.grad((y) => {
        const half = tf.scalar(0.5);
        const z = checkpoint((v) => tf.mul(v, half), [y]);
        half.dispose();
        return z;
      })(x);
    expect(early).toThrow(/shape \[\] that was disposed before the backward pass; pass it in inputs/);
  });

  it("refuses a second derivative, and allows a gradient inside a gradient that is not differentiated", async () => {
    const x = tf.tensor1d([2]);
    const cube = (y: tf.Tensor) => checkpoint((z) => tf.pow(z, 3), [y]);
    expect(() => tf.grad((y) => tf.grad(cube)(y))(x)).toThrow(
      "checkpoint: it has first-order gradients only, and a second derivative was asked for",
    );
    const w = tf.tensor1d([5]);
    const mixed = () =>
      tf.grad((v) => tf.grad((y) => checkpoint((z, u) => tf.mul(tf.square(z), u), [y, v]))(x))(w);
    expect(mixed).toThrow("first-order gradients only");
    const beside = tf.grad((y) => {
      const slope = tf.grad(cube)(x);
      return tf.mul(y, slope);
    })(w);
    expectClose(await beside.data(), [12]);
  });

  it("refuses what is no tensor, and keeps nothing where fn throws", async () => {
    expect(() => checkpoint(() => 3 as never, [])).toThrow("fn must return a tensor or an array of tensors");
    const x = tf.tensor1d([1]);
    const failing = (y: tf.Tensor) =>
      checkpoint(
        (_z): tf.Tensor => {
          throw new Error("no such layer");
        },
        [y],
      );
    await expectNoLeaks(() => expect(() => tf.grad(failing)(x)).toThrow("no such layer"));
  });

  it("stores activations as float16 in both runs, where the caller does", async () => {
    if (!hasFloat16Storage()) return;
    const w = tf.variable(normal(7, 64, 64));
    const storages: string[] = [];
    const block = (x: tf.Tensor2D) => {
      const y = tf.matMul(x, w as unknown as tf.Tensor2D);
      storages.push(storageOf(y));
      return tf.square(y);
    };
    const x = normal(8, 64, 64);
    const gradient = (f: typeof block) =>
      tf.grad((y) => tf.sum(float16Activations(() => f(y as tf.Tensor2D))))(x);
    const plain = await gradient(block).data();
    const kept = await gradient((y) => checkpoint(block, [y])).data();
    expectClose(kept, plain);
    expect(storages).toEqual(["float16", "float16", "float16"]);
  });
});
