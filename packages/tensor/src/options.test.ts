import "@tensorflow/tfjs-backend-cpu";
import { normalArray } from "@dcr-js/testing";
import { describeOptions } from "@dcr-js/testing/options";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll } from "vitest";
import { Conv2d, GroupNorm, LayerNorm } from "./nn/layers.js";
import { Parameter } from "./nn/parameter.js";
import { type AttentionOptions, scaledDotProductAttention } from "./ops/attention.js";
import { type Conv2dOptions, conv2d } from "./ops/conv2d.js";
import { type GroupNormOptions, groupNorm } from "./ops/group-norm.js";
import { type LayerNormOptions, layerNorm } from "./ops/layer-norm.js";
import { AdamW, type AdamWOptions } from "./optim/adamw.js";
import { warmupConstant, warmupCosine } from "./optim/schedules.js";
import { Random } from "./random.js";

beforeAll(() => tf.setBackend("cpu"));

/** Frees what the function makes of fresh inputs, and gives its values. */
const values = (make: () => tf.Tensor) => tf.tidy(() => make().dataSync().slice());
const normal = (seed: number, shape: number[]) =>
  tf.tensor(
    normalArray(
      seed,
      shape.reduce((product, size) => product * size, 1),
    ),
    shape,
  );

// PyTorch's defaults: torch.optim.AdamW, torch.nn.functional.{layer_norm, group_norm, conv2d, scaled_dot_product_attention}.
describeOptions("AdamW", {
  run: async (options: AdamWOptions) => {
    const parameter = new Parameter([2]);
    tf.tidy(() => parameter.assign(tf.tensor1d([1, -2])));
    const optimizer = new AdamW([parameter], options);
    // The second gradient is as small as the epsilon; gradients that differ show the betas.
    for (const gradient of [
      [1, 1e-8],
      [-3, 4e-8],
      [0.5, -1e-8],
    ])
      tf.tidy(() => optimizer.step([tf.tensor1d(gradient)]));
    const result = parameter.value.dataSync().slice();
    optimizer.dispose();
    parameter.dispose();
    return result;
  },
  options: {
    learningRate: { default: 1e-3, other: 1e-2, range: { min: 0 } },
    betas: {
      default: [0.9, 0.999],
      other: [0.9, 0.99],
      refused: [[0.9], [0.9, 1], [-1e-6, 0.999], [0.9, 0.999, 0.9], "0.9", 0.9],
    },
    epsilon: { default: 1e-8, other: 1e-7, range: { min: 0 } },
    weightDecay: { default: 0.01, other: 0.1, range: { min: 0 } },
  },
});
describeOptions("warmupConstant", {
  run: (options: { warmupSteps: number }) => [0, 1, 2, 3].map(warmupConstant(options)),
  given: { warmupSteps: 2 },
  options: { warmupSteps: { other: 3, range: { min: 0, integer: true } } },
});
describeOptions("warmupCosine", {
  run: (options: { warmupSteps: number; totalSteps: number }) => [0, 1, 2, 3, 4].map(warmupCosine(options)),
  given: { warmupSteps: 2, totalSteps: 5 },
  options: {
    warmupSteps: { other: 1, range: { min: 0, integer: true } },
    totalSteps: { other: 4, range: { min: 1, integer: true } },
  },
});

const epsilon = { default: 1e-5, other: 1e-3, range: { min: 0 } };
describeOptions("layerNorm", {
  run: (options: LayerNormOptions) => values(() => layerNorm(normal(1, [2, 4]), null, null, options)),
  options: { epsilon },
});
describeOptions("LayerNorm", {
  run: (options: { epsilon?: number }) =>
    values(() => new LayerNorm(4, options).initialize(new Random(0)).forward(normal(1, [2, 4]))),
  options: { epsilon },
});
describeOptions("groupNorm", {
  run: (options: GroupNormOptions) =>
    values(() => groupNorm(normal(1, [1, 2, 2, 4]) as tf.Tensor4D, tf.ones([4]), tf.zeros([4]), options)),
  given: { groups: 2 },
  options: {
    groups: { other: 4, range: { min: 1, integer: true } },
    epsilon,
    activation: { other: "silu", refused: ["relu"] },
  },
});
describeOptions("GroupNorm", {
  run: (options: { epsilon?: number }) =>
    values(() =>
      new GroupNorm(2, 4, options).initialize(new Random(0)).forward(normal(1, [1, 2, 2, 4]) as tf.Tensor4D),
    ),
  options: { epsilon },
});
const geometry = {
  stride: { default: 1, other: 2, range: { min: 1, integer: true } },
  padding: {
    default: 0,
    other: [
      [1, 0],
      [0, 2],
    ] as const,
    range: { min: 0, integer: true },
    refused: [
      [
        [1, -1],
        [0, 0],
      ],
    ],
  },
};
describeOptions("conv2d", {
  run: (options: Omit<Conv2dOptions, "residual">) =>
    values(() =>
      conv2d(normal(1, [1, 5, 5, 2]) as tf.Tensor4D, normal(2, [2, 2, 2, 3]) as tf.Tensor4D, null, options),
    ),
  options: geometry,
});
describeOptions("Conv2d", {
  run: (options: Omit<Conv2dOptions, "residual"> & { bias?: boolean }) =>
    values(() =>
      new Conv2d(2, 3, 2, options).initialize(new Random(0)).forward(normal(1, [1, 5, 5, 2]) as tf.Tensor4D),
    ),
  options: { ...geometry, bias: { default: true, other: false, refused: [1] } },
});
describeOptions("scaledDotProductAttention", {
  run: (options: AttentionOptions) =>
    values(() => {
      const [q, k, v] = [1, 2, 3].map((seed) => normal(seed, [1, 3, 8])) as [
        tf.Tensor3D,
        tf.Tensor3D,
        tf.Tensor3D,
      ];
      return scaledDotProductAttention(q, k, v, options);
    }),
  given: { heads: 2 },
  options: {
    heads: { other: 4, range: { min: 1, integer: true }, refused: [3] },
    scale: { default: 0.5, other: 1, refused: [Number.NaN, Number.POSITIVE_INFINITY, "1"] },
    causal: { default: false, other: true, refused: [1] },
  },
});
