import { checkGradients, expectClose, expectNoLeaks, normalArray, uniformArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { gelu, silu } from "../src/ops/activation.js";
import { layerNorm } from "../src/ops/layer-norm.js";
import { gradientConfigs } from "../src/shared/tfjs-gradients.js";
import { testBackends } from "./test-backends.js";

/** An op whose gradient is that of the kernel, and inputs of it where it is smooth. */
interface Case {
  f: (...x: tf.Tensor[]) => tf.Tensor;
  inputs: tf.Tensor[];
}

const t = (values: ArrayLike<number>, ...shape: number[]) => tf.tensor(Float32Array.from(values), shape);
const size = tf.util.sizeFromShape;
const normal = (...shape: number[]) => t(normalArray(size(shape), size(shape)), ...shape);
const positive = (...shape: number[]) => t(uniformArray(size(shape), size(shape), 0.5, 2), ...shape);
const inside = (...shape: number[]) => t(uniformArray(size(shape), size(shape), -0.7, 0.7), ...shape);
/** Far from 0 and from each other: steps of the difference pass no kink. */
const spread = (...shape: number[]) => {
  const n = size(shape);
  return t(
    Array.from({ length: n }, (_, i) => ((i * 7) % n) - n / 2 + 0.25),
    ...shape,
  );
};
const unary =
  (f: (x: tf.Tensor) => tf.Tensor, x: () => tf.Tensor = () => spread(2, 3)) =>
  () => ({ f, inputs: [x()] });
const image = (x: tf.Tensor) => x as tf.Tensor4D;
const volume = (x: tf.Tensor) => x as tf.Tensor5D;
const binary =
  (f: (x: tf.Tensor, y: tf.Tensor) => tf.Tensor, input = spread) =>
  () => ({
    f: (x: tf.Tensor, y: tf.Tensor) => f(x, y),
    inputs: [input(2, 3), tf.add(input(3), 0.5)],
  });
const zero = (x: tf.Tensor) => tf.add(tf.mul(x, 0), 1);

const cases: Record<string, () => Case> = {
  Abs: unary(tf.abs),
  Acos: unary(tf.acos, () => inside(2, 3)),
  Acosh: unary(tf.acosh, () => tf.add(positive(2, 3), 1)),
  AddN: () => ({ f: (x, y) => tf.addN([x, y, tf.square(x)]), inputs: [normal(3), normal(3)] }),
  Add: binary(tf.add),
  ArgMax: unary((x) => tf.mul(x, tf.cast(tf.argMax(x, 0), "float32"))),
  ArgMin: unary((x) => tf.mul(x, tf.cast(tf.argMin(x, 0), "float32"))),
  Asin: unary(tf.asin, () => inside(2, 3)),
  Asinh: unary(tf.asinh, () => normal(2, 3)),
  Atan2: binary(tf.atan2, positive),
  Atan: unary(tf.atan, () => normal(2, 3)),
  Atanh: unary(tf.atanh, () => inside(2, 3)),
  AvgPool3D: unary(
    (x) => tf.avgPool3d(volume(x), 2, 1, "same"),
    () => normal(1, 2, 3, 3, 2),
  ),
  AvgPool: unary(
    (x) => tf.avgPool(image(x), 2, 1, "same"),
    () => normal(2, 3, 3, 2),
  ),
  BatchMatMul: () => ({
    f: (x, y) => tf.matMul(x, y, true, true),
    inputs: [normal(2, 4, 3), normal(2, 5, 4)],
  }),
  BatchToSpaceND: unary(
    (x) =>
      tf.batchToSpaceND(
        x,
        [2, 2],
        [
          [0, 0],
          [0, 1],
        ],
      ),
    () => normal(4, 2, 2, 1),
  ),
  BroadcastTo: unary(
    (x) => tf.broadcastTo(x, [4, 2, 3]),
    () => normal(2, 1),
  ),
  Cast: unary((x) => tf.cast(x, "float32")),
  Ceil: unary((x) => tf.mul(x, tf.ceil(x))),
  ClipByValue: unary((x) => tf.clipByValue(x, -1.5, 1.5)),
  Concat: () => ({ f: (x, y) => tf.concat([x, y], 1), inputs: [normal(2, 2), normal(2, 3)] }),
  Conv2DBackpropInput: () => ({
    f: (x, w) => tf.conv2dTranspose(image(x), image(w), [2, 4, 4, 2], 1, "same"),
    inputs: [normal(2, 4, 4, 3), normal(2, 2, 2, 3)],
  }),
  Conv2D: () => ({
    f: (x, w) => tf.conv2d(image(x), image(w), 2, "same"),
    inputs: [normal(2, 4, 4, 2), normal(3, 3, 2, 3)],
  }),
  Conv3D: () => ({
    f: (x, w) => tf.conv3d(volume(x), volume(w), 1, "same"),
    inputs: [normal(1, 2, 3, 3, 2), normal(2, 2, 2, 2, 2)],
  }),
  Cos: unary(tf.cos, () => normal(2, 3)),
  Cosh: unary(tf.cosh, () => normal(2, 3)),
  Cumsum: unary(
    (x) => tf.cumsum(x, 0, true, true),
    () => normal(3, 2),
  ),
  DepthwiseConv2dNative: () => ({
    f: (x, w) => tf.depthwiseConv2d(image(x), image(w), 1, "same"),
    inputs: [normal(2, 3, 3, 2), normal(2, 2, 2, 2)],
  }),
  Dilation2D: () => ({
    f: (x, w) => tf.dilation2d(image(x), w as tf.Tensor3D, 1, "same"),
    inputs: [spread(1, 3, 3, 1), t([0, 0.3, 0.1, 0.2], 2, 2, 1)],
  }),
  Elu: unary(tf.elu),
  Erf: unary(tf.erf, () => normal(2, 3)),
  Exp: unary(tf.exp, () => normal(2, 3)),
  ExpandDims: unary((x) => tf.expandDims(x, 1)),
  Expm1: unary(tf.expm1, () => normal(2, 3)),
  FloorDiv: unary((x) => tf.mul(x, tf.cast(tf.floorDiv(x, tf.scalar(2)), "float32"))),
  Floor: unary((x) => tf.mul(x, tf.floor(x))),
  FusedBatchNorm: () => ({
    f: (x, mean, variance, offset, scale) =>
      tf.batchNorm(
        x,
        mean as tf.Tensor1D,
        variance as tf.Tensor1D,
        offset as tf.Tensor1D,
        scale as tf.Tensor1D,
        1e-3,
      ),
    inputs: [normal(2, 2, 2, 3), inside(3), positive(3), normal(3), positive(3)],
  }),
  GatherV2: unary(
    (x) =>
      tf.concat([
        tf.reshape(
          tf.gather(
            x,
            tf.tensor2d(
              [
                [1, 0],
                [1, 1],
              ],
              [2, 2],
              "int32",
            ),
            1,
          ),
          [-1],
        ),
        tf.reshape(
          tf.gather(
            x,
            tf.tensor2d(
              [
                [2, 0],
                [1, 1],
              ],
              [2, 2],
              "int32",
            ),
            2,
            1,
          ),
          [-1],
        ),
      ]),
    () => normal(2, 3, 4),
  ),
  GreaterEqual: unary((x) => tf.mul(x, tf.cast(tf.greaterEqual(x, 0), "float32"))),
  Identity: unary(tf.clone),
  IsFinite: unary((x) => tf.mul(x, tf.cast(tf.isFinite(x), "float32"))),
  IsInf: unary((x) => tf.mul(x, tf.cast(tf.logicalNot(tf.isInf(x)), "float32"))),
  IsNan: unary((x) => tf.mul(x, tf.cast(tf.logicalNot(tf.isNaN(x)), "float32"))),
  LRN: unary(
    (x) => tf.localResponseNormalization(image(x), 2, 1, 0.5, 0.75),
    () => normal(1, 2, 2, 5),
  ),
  LeakyRelu: unary((x) => tf.leakyRelu(x, 0.3)),
  Log1p: unary(tf.log1p, () => positive(2, 3)),
  LogSoftmax: unary(
    (x) => tf.logSoftmax(x),
    () => normal(2, 3),
  ),
  Log: unary(tf.log, () => positive(2, 3)),
  MaxPool3D: unary(
    (x) => tf.maxPool3d(volume(x), 2, 1, "same"),
    () => spread(1, 2, 3, 3, 1),
  ),
  MaxPool: unary(
    (x) => tf.maxPool(image(x), 2, 1, "same"),
    () => spread(1, 3, 3, 2),
  ),
  Max: unary((x) => tf.max(x, 1)),
  Maximum: binary(tf.maximum),
  Mean: unary(
    (x) => tf.mean(x, [0, 2]),
    () => normal(2, 3, 2),
  ),
  Min: unary((x) => tf.min(x, 0)),
  Minimum: binary(tf.minimum),
  MirrorPad: unary(
    (x) =>
      tf.mirrorPad(
        x,
        [
          [1, 1],
          [0, 1],
        ],
        "reflect",
      ),
    () => normal(3, 3),
  ),
  Mod: binary(tf.mod, positive),
  Multiply: binary(tf.mul),
  Neg: unary(tf.neg),
  OneHot: unary((x) => tf.mul(x, tf.oneHot(tf.tensor1d([0, 2], "int32"), 3))),
  OnesLike: unary((x) => tf.mul(x, tf.onesLike(x))),
  Pack: () => ({ f: (x, y) => tf.stack([x, y], 1), inputs: [normal(2, 3), normal(2, 3)] }),
  PadV2: unary((x) =>
    tf.pad(x, [
      [1, 0],
      [0, 2],
    ]),
  ),
  Pow: () => ({ f: (x, y) => tf.pow(x, y), inputs: [positive(2, 3), normal(3)] }),
  Prelu: () => ({ f: tf.prelu as Case["f"], inputs: [spread(2, 3), positive(3)] }),
  Prod: unary(
    (x) =>
      tf.concat(
        [tf.prod(x, 1), tf.reshape(tf.prod(x, [2, 0]), [1, 3]), tf.reshape(tf.prod(x, -1, true), [2, 3])].map(
          (y) => tf.reshape(y, [-1]),
        ),
      ),
    () => t([1, 2, 0, 1.5, -1, 0.5, 0, 0, 2, 1, 1, 3], 2, 3, 2),
  ),
  RealDiv: binary(tf.div, positive),
  Reciprocal: unary(tf.reciprocal, () => positive(2, 3)),
  Relu6: unary((x) => tf.relu6(tf.mul(x, 3))),
  Relu: unary(tf.relu),
  Reshape: unary((x) => tf.reshape(x, [3, 2])),
  ResizeBilinear: unary(
    (x) => tf.image.resizeBilinear(image(x), [5, 3]),
    () => normal(2, 3, 4, 2),
  ),
  ResizeNearestNeighbor: unary(
    (x) => tf.image.resizeNearestNeighbor(image(x), [6, 5]),
    () => normal(2, 3, 4, 2),
  ),
  Reverse: unary((x) => tf.reverse(x, 1)),
  Round: unary((x) => tf.mul(x, tf.round(x))),
  Rsqrt: unary(tf.rsqrt, () => positive(2, 3)),
  Select: () => ({
    f: (x, y) =>
      tf.where(
        tf.tensor2d(
          [
            [1, 0, 1],
            [0, 1, 1],
          ],
          [2, 3],
          "bool",
        ),
        x,
        y,
      ),
    inputs: [normal(2, 3), normal(2, 3)],
  }),
  Selu: unary(tf.selu),
  Sigmoid: unary(tf.sigmoid, () => normal(2, 3)),
  Sign: unary((x) => tf.mul(x, tf.sign(x))),
  Sin: unary(tf.sin, () => normal(2, 3)),
  Sinh: unary(tf.sinh, () => normal(2, 3)),
  Slice: unary((x) => tf.slice(x, [0, 1], [2, 2])),
  Softmax: unary(
    (x) => tf.softmax(x),
    () => normal(2, 3),
  ),
  Softplus: unary(tf.softplus, () => normal(2, 3)),
  SpaceToBatchND: unary(
    (x) =>
      tf.spaceToBatchND(
        x,
        [2, 2],
        [
          [0, 1],
          [1, 0],
        ],
      ),
    () => normal(1, 3, 3, 2),
  ),
  SplitV: unary((x) => tf.concat(tf.split(x, [1, 2], 1).toReversed(), 1)),
  Sqrt: unary(tf.sqrt, () => positive(2, 3)),
  Square: unary(tf.square, () => normal(2, 3)),
  SquaredDifference: binary(tf.squaredDifference),
  Step: unary((x) => tf.mul(x, tf.step(x, 0.5))),
  Sub: binary(tf.sub),
  Sum: unary(
    (x) => tf.sum(x, [0, 2]),
    () => normal(2, 3, 2),
  ),
  Tan: unary(tf.tan, () => inside(2, 3)),
  Tanh: unary(tf.tanh, () => normal(2, 3)),
  Tile: unary((x) => tf.tile(x, [2, 3])),
  Transpose: unary(
    (x) => tf.transpose(x, [2, 0, 1]),
    () => normal(2, 3, 2),
  ),
  Unpack: unary((x) => tf.addN(tf.unstack(x, 1))),
  UnsortedSegmentSum: unary(
    (x) => tf.unsortedSegmentSum(x, tf.tensor1d([1, 0, 1], "int32"), 3),
    () => normal(3, 2),
  ),
  ZerosLike: unary((x) => tf.mul(x, tf.add(tf.zerosLike(x), 2))),
};

it("has a case for every gradient of tfjs-core but that of complex numbers, which no tensor of float32 leads to", () => {
  const names = new Set(gradientConfigs.map(({ kernelName }) => kernelName));
  names.delete("ComplexAbs");
  expect(Object.keys(cases).sort()).toEqual([...names].sort());
});

describe.each(await testBackends())("gradients of tfjs-core on $name", ({ start }) => {
  beforeAll(start);
  const tolerance = { step: 1 / 64, relative: 5e-3, absolute: 2e-3 };

  it.each(Object.entries(cases))("%s", async (_kernelName, make) => {
    const { f, inputs } = make();
    await checkGradients((...x) => tf.add(f(...x), tf.mul(0, tf.sum(zero(x[0])))), inputs, tolerance);
    tf.dispose(inputs);
  });

  it.each(Object.entries(cases))(
    "a second derivative of %s is right or an error",
    async (_kernelName, make) => {
      const { f, inputs } = make();
      const weighted = (...x: tf.Tensor[]) => {
        const y = f(...x);
        return tf.sum(tf.mul(tf.square(y), normal(...y.shape)));
      };
      const slopes = (...x: tf.Tensor[]) =>
        tf.concat(
          tf
            .grads(weighted)(x)
            .map((g) => tf.reshape(g, [-1])),
        );
      try {
        await checkGradients(slopes, inputs, { step: 1 / 64, relative: 2e-2, absolute: 2e-2 });
      } catch (error) {
        expect((error as Error).message).toMatch(/gradient function not found for \w+(Grad|Backprop\w+)\./);
      }
      tf.dispose(inputs);
    },
  );

  it.each<[string, Case["f"], tf.Tensor[]]>([
    ["one part of split", (x) => tf.split(x, 1, 1)[0], [normal(2, 3)]],
    ["one part of unstack", (x) => tf.unstack(x)[0], [normal(1, 3)]],
    ["bandPart", (x) => tf.linalg.bandPart(x, 1, 0), [normal(3, 3)]],
    ["matMul of one matrix by many", (x, y) => tf.matMul(x, y), [normal(2, 3), normal(4, 3, 2)]],
    ["matMul of a batch of one", (x, y) => tf.matMul(x, y, true), [normal(3, 3, 2), normal(1, 3, 2)]],
    ["stridedSlice", (x) => tf.stridedSlice(x, [2, 0], [0, 4], [-1, 2]), [normal(3, 4)]],
    [
      "stridedSlice that drops an axis",
      (x) => tf.stridedSlice(x, [1, 0], [2, 4], [1, 3], 0, 0, 0, 0, 1),
      [normal(3, 4)],
    ],
    [
      "gatherND of one row twice",
      (x) => tf.gatherND(x, tf.tensor2d([1, 0, 1], [3, 1], "int32")),
      [normal(2, 3)],
    ],
    ["scatterND", (x) => tf.scatterND(tf.tensor2d([2, 0, 2], [3, 1], "int32"), x, [4, 2]), [normal(3, 2)]],
    ["einsum of two", (x, y) => tf.einsum("bij, bkj -> ibk", x, y), [normal(2, 3, 4), normal(2, 2, 4)]],
    ["einsum to a scalar", (x, y) => tf.einsum("ij,ij->", x, y), [normal(2, 3), tf.neg(normal(2, 3))]],
    ["einsum that sums a label of one", (x, y) => tf.einsum("ij,k->ki", x, y), [normal(2, 3), normal(4)]],
    ["einsum of one", (x) => tf.einsum("ijk->ki", x), [normal(2, 3, 2)]],
    ["einsum of one to a scalar", (x) => tf.einsum("ij->", x), [normal(2, 3)]],
    ["einsum of one input twice", (x) => tf.einsum("ij,kj->ik", x, x), [normal(2, 3)]],
    ["rgbToGrayscale", (x) => tf.image.rgbToGrayscale(x as tf.Tensor3D), [normal(2, 2, 3)]],
    ["topk", (x) => tf.topk(x, 2).values, [spread(2, 4)]],
    ["diag", (x) => tf.diag(x), [normal(3)]],
    ["diag of a matrix", (x) => tf.diag(x), [normal(2, 2)]],
    ["cumprod", (x) => tf.cumprod(x, 1), [positive(2, 3, 2)]],
    ["cumprod with zeros", (x) => tf.cumprod(x, -1), [t([1, 0, 2, 0, 3, 0, 1, 2, 4], 3, 3)]],
    ["exclusive cumprod", (x) => tf.cumprod(x, 0, true), [positive(3, 2)]],
    ["cumprod from the end", (x) => tf.cumprod(x, 0, false, true), [positive(3, 2)]],
    ["exclusive cumprod from the end", (x) => tf.cumprod(x, 1, true, true), [positive(2, 3)]],
    [
      "flipLeftRight",
      (x) => tf.mul(tf.image.flipLeftRight(image(x)), spread(1, 1, 3, 2)),
      [normal(1, 1, 3, 2)],
    ],
    [
      "tensorScatterUpdate",
      (x, y) => tf.tensorScatterUpdate(x, tf.tensor2d([2, 0], [2, 1], "int32"), y),
      [normal(3, 2), tf.neg(normal(2, 2))],
    ],
    ["depthToSpace", (x) => tf.mul(tf.depthToSpace(image(x), 2), spread(1, 2, 4, 2)), [normal(1, 1, 2, 8)]],
    [
      "conv3dTranspose",
      (x, w) => tf.conv3dTranspose(volume(x), volume(w), [1, 2, 3, 4, 2], 2, "same"),
      [normal(1, 1, 2, 2, 3), normal(2, 2, 3, 2, 3)],
    ],
    ["elu", (x) => tf.elu(x), [t([-2, -1, -0.5, 0.5, 1, 2], 6)]],
    ["avgPool with padding", (x) => tf.avgPool(image(x), [2, 3], [2, 1], "same"), [normal(1, 3, 4, 2)]],
    [
      "avgPool3d with padding",
      (x) => tf.avgPool3d(volume(x), [1, 2, 3], [1, 2, 1], "same"),
      [normal(1, 2, 3, 3, 1)],
    ],
    ["a product of an input with itself", (x) => tf.matMul(x, x, false, true), [normal(2, 3)]],
    ["one input at both ends", (x) => tf.mul(tf.concat([x, x], 1), tf.tile(x, [1, 2])), [normal(2, 2)]],
  ])("%s", async (_name, f, inputs) => {
    await checkGradients((...x) => tf.square(f(...x)), inputs, tolerance);
    const slopes = (...x: tf.Tensor[]) =>
      tf.concat(
        tf
          .grads((...y) => tf.square(f(...y)))(x)
          .map((g) => tf.reshape(g, [-1])),
      );
    await checkGradients(slopes, inputs, { step: 1 / 64, relative: 2e-2, absolute: 2e-2 });
  });

  it("a second derivative of ops that are made of customGrad is right or an error", async () => {
    const x = normal(2, 3);
    const second = (f: (y: tf.Tensor) => tf.Tensor) => (y: tf.Tensor) =>
      tf.grad((z) => tf.sum(tf.square(f(z))))(y);
    await checkGradients(
      second((y) => tf.logSoftmax(y)),
      [x],
      tolerance,
    );
    await checkGradients(
      second((y) => tf.logSigmoid(y)),
      [x],
      tolerance,
    );
    const sine = (save: "input" | "output" | "intermediate") =>
      tf.customGrad((y, saved) => {
        const value = tf.sin(y as tf.Tensor);
        const slope = tf.cos(y as tf.Tensor);
        (saved as unknown as tf.GradSaveFunc)([
          { input: y as tf.Tensor, output: value, intermediate: slope }[save],
        ]);
        const gradFunc = (dy: tf.Tensor, [kept]: tf.Tensor[]) => {
          if (save === "input") return tf.mul(dy, tf.cos(kept));
          if (save === "output") return tf.mul(dy, tf.sqrt(tf.sub(1, tf.square(kept))));
          return tf.mul(dy, kept);
        };
        return { value, gradFunc };
      });
    const small = inside(3);
    await checkGradients(
      second((y) => sine("input")(y)),
      [small],
      tolerance,
    );
    await checkGradients(
      second((y) => sine("output")(y)),
      [small],
      tolerance,
    );
    const intermediate = second((y) => sine("intermediate")(y));
    expect(() => tf.grad(intermediate)(small)).toThrow(
      "customGrad: it has first-order gradients only, and a second derivative was asked for",
    );
    expect(() =>
      tf.grad(second((y) => tf.losses.softmaxCrossEntropy(tf.oneHot([0, 1], 3), y as tf.Tensor2D)))(x),
    ).toThrow("first-order gradients only");
    for (const f of [gelu, silu, (y: tf.Tensor) => layerNorm(y, null, null)]) {
      expect(() => tf.grad(second(f))(x)).toThrow(/(Gelu|Silu|LayerNorm): it has first-order gradients only/);
    }
    tf.dispose([x, small]);
  });
});

it.each(await testBackends())("integers divide with the quotient's gradient on $name", async ({ start }) => {
  await start();
  // tfjs-core's own spec, arithmetic_test.ts: "gradient: Tensor1D with int32".
  const [a, b] = [tf.tensor1d([1, 2, 3], "int32"), tf.tensor1d([3, 4, 5], "int32")];
  const gradients = tf.grads((x, y) => tf.div(x, y))([a, b], tf.tensor1d([1, 10, 20]));
  expectClose(await gradients[0]!.data(), [1 / 3, 10 / 4, 20 / 5], { relative: 1e-6 });
  expectClose(await gradients[1]!.data(), [-1 / 9, -20 / 16, -60 / 25], { relative: 1e-6 });
  tf.dispose([a, b, gradients]);
});

it("a gradient that fails frees its graph, also inside another and where the failure is in an op's gradient", async () => {
  await tf.setBackend("cpu");
  const x = tf.tensor1d([0.5, 1, 2]);
  const sum = (y: tf.Tensor) => tf.sum(tf.exp(tf.square(y))) as tf.Scalar;
  const fails = (y: tf.Tensor): tf.Scalar => {
    sum(y);
    throw new Error("no loss");
  };
  const failsBack = tf.customGrad((y) => ({
    value: tf.sum(y as tf.Tensor),
    gradFunc: () => {
      throw new Error("no slope");
    },
  }));
  const backwards = (y: tf.Tensor) => failsBack(tf.exp(y));
  await expectNoLeaks(() => {
    expect(() => tf.grad(fails)(x)).toThrow("no loss");
    expect(() => tf.valueAndGrads(fails)([x])).toThrow("no loss");
    expect(() => tf.grad((y) => tf.sum(tf.mul(tf.grad(fails)(y), tf.exp(y))))(x)).toThrow("no loss");
    expect(() => tf.grad(backwards)(x)).toThrow("no slope");
    expect(() => tf.valueAndGrad(backwards)(x)).toThrow("no slope");
    expect(() => tf.grad(() => sum(tf.ones([2])))(x)).toThrow("Cannot compute gradient of y=f(x)");
    // Its result outlives the failure in no scope.
    expect(() => tf.engine().gradients(() => backwards(x), [x])).toThrow("no slope");
    // The tape of the caught error is freed with the outer graph, whose gradient is right.
    const slope = tf.grad((y) => {
      expect(() => tf.grad(fails)(y)).toThrow("no loss");
      return sum(y);
    })(x);
    expectClose(
      slope,
      [0.5, 1, 2].map((v) => 2 * v * Math.exp(v * v)),
      { relative: 1e-6 },
    );
    slope.dispose();
  });
  x.dispose();
});
