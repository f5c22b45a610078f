import * as tf from "@tensorflow/tfjs-core";
import { type Computation, describeAgainstCpu } from "../../../../test/against-cpu.js";
import { normalTensor } from "../../../../test/normal-tensor.js";

const normal = <R extends tf.Rank>(...shape: number[]) => normalTensor<R>(shape[1] + 1, shape);

type Resize = (x: tf.Tensor4D) => tf.Tensor4D;

/**
 * The gradient by its definition: resizing is linear, and what each input pixel makes of the output is found by resizing an image
 * of that pixel only. tfjs's cpu backend takes no notice of half-pixel centres in gradients.
 */
function adjoint(resize: Resize, [batch, height, width, channels]: number[], dy: tf.Tensor4D): tf.Tensor {
  const pixels = tf.reshape(tf.eye(height * width), [height * width, height, width, 1]) as tf.Tensor4D;
  const weights = tf.reshape(resize(pixels), [height * width, -1]);
  const rows = tf.reshape(dy, [batch, -1, channels]);
  return tf.reshape(tf.matMul(tf.tile(tf.expandDims(weights), [batch, 1, 1]), rows), [
    batch,
    height,
    width,
    channels,
  ]);
}

const shapes: [number[], [number, number]][] = [
  [
    [2, 5, 7, 3],
    [8, 4],
  ],
  [
    [1, 3, 4, 2],
    [11, 13],
  ],
  [
    [1, 9, 10, 1],
    [4, 3],
  ],
  [
    [1, 1, 6, 4],
    [5, 1],
  ],
  [
    [1, 4, 4, 2],
    [4, 4],
  ],
];
const modes: [string, boolean, boolean][] = [
  ["", false, false],
  [", corners aligned", true, false],
  [", half-pixel centres", false, true],
];
const cases: Record<string, Computation> = {};
for (const [kind, op] of [
  ["bilinear", tf.image.resizeBilinear] as const,
  ["nearest", tf.image.resizeNearestNeighbor] as const,
]) {
  for (const [mode, alignCorners, halfPixelCenters] of modes) {
    for (const [shape, size] of shapes) {
      const resize: Resize = (x) => op(x, size, alignCorners, halfPixelCenters);
      cases[`${kind}, [${shape}] to [${size}]${mode}`] = () => {
        const x = normal<tf.Rank.R4>(...shape);
        const dy = normal<tf.Rank.R4>(shape[0], ...size, shape[3]);
        const dx =
          tf.getBackend() === "cpu"
            ? adjoint(resize, shape, dy)
            : tf.grad((image) => resize(image as tf.Tensor4D))(x, dy);
        return [resize(x), dx];
      };
    }
  }
}
cases["nearest of int32"] = () =>
  tf.image.resizeNearestNeighbor(tf.cast(tf.mul(normal(1, 3, 4, 2), 10), "int32") as tf.Tensor4D, [5, 6]);

await describeAgainstCpu("resizing", cases);
