import * as tf from "@tensorflow/tfjs-core";

// Gradients of ops that are smooth, or move elements, and that tfjs-core has none for. Each is made of ops that have one, so that second
// derivatives are right too.

type Gradient = Record<string, () => tf.Tensor>;

/**
 * The gradient at an operand is the product of `dy` with the other operand, with the roles of the labels exchanged. Labels that the operand
 * has alone were summed: there every element gets the same.
 */
const einsum: tf.GradConfig = {
  kernelName: "Einsum",
  saveAllInputs: true,
  gradFunc: (dy, saved, attrs): Gradient => {
    const operands = saved as tf.Tensor[];
    const [inputs, output] = (attrs as unknown as { equation: string }).equation
      .replaceAll(/\s/g, "")
      .split("->") as [string, string];
    const terms = inputs.split(",");
    const at = (i: number) => {
      const [term, x] = [terms[i]!, operands[i]!];
      if (new Set(term).size < term.length) {
        throw new Error(`einsum: "${term}" has a label twice, and no gradient`);
      }
      const factors = [
        { labels: output, value: dy as tf.Tensor },
        ...terms.flatMap((labels, j) => (j === i ? [] : [{ labels, value: operands[j]! }])),
      ];
      const named = factors.filter(({ labels }) => labels !== "");
      const kept = Array.from(term).filter((label) => named.some(({ labels }) => labels.includes(label)));
      const equation = `${named.map(({ labels }) => labels).join(",")}->${kept.join("")}`;
      const scalars = factors.filter(({ labels }) => labels === "").map(({ value }) => value);
      const product =
        named.length > 0 ? [tf.einsum(equation, ...named.map(({ value }) => value)), ...scalars] : scalars;
      const shape = Array.from(term, (label, axis) => (kept.includes(label) ? x.shape[axis]! : 1));
      return tf.broadcastTo(tf.reshape(product.reduce(tf.mul), shape), x.shape);
    };
    return Object.fromEntries(operands.map((_, i) => [i, () => at(i)]));
  },
};

/** Each largest element gets what its place among them got. */
const topK: tf.GradConfig = {
  kernelName: "TopK",
  inputsToSave: ["x"],
  outputsToSave: [false, true],
  gradFunc: (dys, [x, indices]): Gradient => ({
    x: () => {
      const [dy] = dys as tf.Tensor[];
      const places = tf.oneHot(tf.cast(indices, "int32"), x.shape.at(-1)!);
      return tf.sum(tf.mul(places, tf.expandDims(dy!, -1)), -2);
    },
  }),
};

const diag: tf.GradConfig = {
  kernelName: "Diag",
  inputsToSave: ["x"],
  gradFunc: (dy, [x]): Gradient => ({
    x: () => {
      const square = tf.reshape(dy as tf.Tensor, [x.size, x.size]);
      return tf.reshape(tf.sum(tf.mul(square, tf.eye(x.size)), 1), x.shape);
    },
  }),
};

/**
 * With x_1, ..., x_n along the axis, the gradient at x_i is the product of those before it times s_i = dy_i + x_{i+1} s_{i+1}, without
 * a quotient, so that it is right where elements are 0.
 */
const cumprod: tf.GradConfig = {
  kernelName: "Cumprod",
  inputsToSave: ["x"],
  gradFunc: (dy, [x], attrs): Gradient => ({
    x: () => {
      const { axis, exclusive, reverse } = attrs as unknown as {
        axis: number;
        exclusive: boolean;
        reverse: boolean;
      };
      const [along] = tf.util.parseAxisParam(axis, x.shape) as [number];
      const order = [...[...x.shape.keys()].filter((other) => other !== along), along];
      const count = x.shape[along]!;
      if (x.size === 0) return tf.zerosLike(x);
      const columnsOf = (y: tf.Tensor) => {
        const lined = tf.reshape(tf.transpose(y, order), [-1, count]);
        const columns = Array.from({ length: count }, (_, i) => tf.slice(lined, [0, i], [-1, 1]));
        return reverse ? columns.reverse() : columns;
      };
      const [factors, slopes] = [x, dy as tf.Tensor].map(columnsOf) as [tf.Tensor[], tf.Tensor[]];
      const before = [tf.onesLike(factors[0]!)];
      for (let i = 1; i < count; i++) before.push(tf.mul(before[i - 1]!, factors[i - 1]!));
      let after = exclusive ? tf.zerosLike(factors[0]!) : slopes[count - 1]!;
      const gradient = [tf.mul(before[count - 1]!, after)];
      for (let i = count - 2; i >= 0; i--) {
        after = tf.add(slopes[exclusive ? i + 1 : i]!, tf.mul(factors[i + 1]!, after));
        gradient.unshift(tf.mul(before[i]!, after));
      }
      const lined = tf.concat(reverse ? gradient.reverse() : gradient, 1);
      const back = order.map((_, i) => order.indexOf(i));
      const turned = tf.reshape(
        lined,
        order.map((other) => x.shape[other]!),
      );
      return tf.transpose(turned, back);
    },
  }),
};

/** The kernel that `tf.elu`'s gradient runs: `dy` times 1 where y is at least 0, and times y + 1 below. */
const eluGrad: tf.GradConfig = {
  kernelName: "EluGrad",
  inputsToSave: ["dy", "y"],
  gradFunc: (ddx, [dy, y]): Gradient => ({
    dy: () => run("EluGrad", { dy: ddx as tf.Tensor, y }, {}),
    y: () => tf.mul(tf.mul(ddx as tf.Tensor, dy), tf.cast(tf.less(y, 0), "float32")),
  }),
};

const flipLeftRight: tf.GradConfig = {
  kernelName: "FlipLeftRight",
  gradFunc: (dy): Gradient => ({ image: () => tf.image.flipLeftRight(dy as tf.Tensor4D) }),
};

const tensorScatterUpdate: tf.GradConfig = {
  kernelName: "TensorScatterUpdate",
  inputsToSave: ["indices", "updates"],
  gradFunc: (dy, [indices, updates]): Gradient => ({
    tensor: () => tf.tensorScatterUpdate(dy as tf.Tensor, indices, tf.zerosLike(updates)),
    indices: () => tf.zeros(indices.shape),
    updates: () => tf.gatherND(dy as tf.Tensor, indices),
  }),
};

/** The inverse of the op, which moves each block's channels to a square of pixels. */
const depthToSpace: tf.GradConfig = {
  kernelName: "DepthToSpace",
  gradFunc: (dy, _saved, attrs): Gradient => ({
    x: () => {
      const { blockSize: n, dataFormat } = attrs as unknown as { blockSize: number; dataFormat: string };
      const isLast = dataFormat !== "NCHW";
      const image = isLast ? (dy as tf.Tensor) : tf.transpose(dy as tf.Tensor, [0, 2, 3, 1]);
      const [batch, height, width, channels] = image.shape as [number, number, number, number];
      const blocks = tf.reshape(image, [batch, height / n, n, width / n, n, channels]);
      const shape = [batch, height / n, width / n, n * n * channels];
      const x = tf.reshape(tf.transpose(blocks, [0, 1, 3, 2, 4, 5]), shape);
      return isLast ? x : tf.transpose(x, [0, 3, 1, 2]);
    },
  }),
};

type Size = [number, number, number];

/** The gradient of `tf.conv3dTranspose`, built like tfjs-core's own of `tf.conv2dTranspose`. */
const conv3dBackpropInput: tf.GradConfig = {
  kernelName: "Conv3DBackpropInputV2",
  inputsToSave: ["dy", "filter"],
  gradFunc: (ddx, [dy, filter], attrs): Gradient => {
    const { strides, pad } = attrs as unknown as { strides: Size; pad: "same" | "valid" };
    const inputs = { x: ddx as tf.Tensor, dy };
    return {
      dy: () => tf.conv3d(ddx as tf.Tensor5D, filter as tf.Tensor5D, strides, pad),
      filter: () => run("Conv3DBackpropFilterV2", inputs, { strides, pad, filterShape: filter.shape }),
    };
  },
};

/** The gradient of a convolution's filter is linear in the image and in `dy`. */
const conv3dBackpropFilter: tf.GradConfig = {
  kernelName: "Conv3DBackpropFilterV2",
  inputsToSave: ["x", "dy"],
  gradFunc: (ddw, [x, dy], attrs): Gradient => {
    const { strides, pad } = attrs as unknown as { strides: Size; pad: "same" | "valid" };
    const inputs = { dy, filter: ddw as tf.Tensor };
    return {
      x: () => run("Conv3DBackpropInputV2", inputs, { strides, pad, inputShape: x.shape }),
      dy: () => tf.conv3d(x as tf.Tensor5D, ddw as tf.Tensor5D, strides, pad),
    };
  },
};
const conv2dBackpropFilter: tf.GradConfig = {
  kernelName: "Conv2DBackpropFilter",
  inputsToSave: ["x", "dy"],
  gradFunc: (ddw, [x, dy], attrs): Gradient => {
    const { filterShape: _, ...geometry } = attrs as never as Record<string, never>;
    const { strides, pad, dataFormat, dimRoundingMode } = geometry;
    const inputs = { dy, filter: ddw as tf.Tensor };
    return {
      x: () => run("Conv2DBackpropInput", inputs, { ...geometry, inputShape: x.shape }),
      dy: () => tf.conv2d(x as tf.Tensor4D, ddw as tf.Tensor4D, strides, pad, dataFormat, 1, dimRoundingMode),
    };
  },
};

const run = (kernelName: string, inputs: tf.NamedTensorMap, attrs: object): tf.Tensor =>
  tf.engine().runKernel(kernelName, inputs, attrs as tf.NamedAttrMap) as tf.Tensor;

/** Gradients that tfjs-core lacks. */
export const addedGradients: readonly tf.GradConfig[] = [
  conv2dBackpropFilter,
  conv3dBackpropFilter,
  conv3dBackpropInput,
  cumprod,
  depthToSpace,
  diag,
  einsum,
  eluGrad,
  flipLeftRight,
  tensorScatterUpdate,
  topK,
];
