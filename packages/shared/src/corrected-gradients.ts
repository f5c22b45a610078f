import * as tf from "@tensorflow/tfjs-core";
import { explicitPadding } from "./explicit-padding.js";
import { segmentSum } from "./segment-sum.js";
import { sumBroadcast } from "./sum-broadcast.js";
import { gradientConfigs } from "./tfjs-gradients.js";

type Gradient = Record<string, () => tf.Tensor>;
type Attributes = Record<string, unknown>;

/** tfjs-core's own gradient of a kernel. */
const own = (kernelName: string) => gradientConfigs.find((config) => config.kernelName === kernelName)!;

/** tfjs-core's gradient fails where the operands broadcast. */
const squaredDifference: tf.GradConfig = {
  kernelName: "SquaredDifference",
  inputsToSave: ["a", "b"],
  gradFunc: (dy, [a, b]) => {
    const derivative = () => tf.mul(dy as tf.Tensor, tf.mul(2, tf.sub(a, b)));
    return {
      a: () => sumBroadcast(derivative(), a.shape),
      b: () => sumBroadcast(tf.neg(derivative()), b.shape),
    };
  },
};

/** tfjs-core's gradient calls chained ops, which an application has to register, and takes axes as they come. */
const prod: tf.GradConfig = {
  kernelName: "Prod",
  inputsToSave: ["x"],
  gradFunc: (dy, [x], attrs): Gradient => ({
    x: () => {
      if (x.size === 0) return tf.zerosLike(x);
      const axes = tf.util.parseAxisParam((attrs as Attributes)["axis"] as number[], x.shape);
      const kept = [...x.shape.keys()].filter((axis) => !axes.includes(axis));
      const order = [...kept, ...axes];
      const outer = kept.map((axis) => x.shape[axis]!);
      const lined = tf.reshape(tf.transpose(x, order), [tf.util.sizeFromShape(outer), -1]) as tf.Tensor2D;
      const count = lined.shape[1];
      // Products of all but one element, right where elements are 0: of those before it and of those after it.
      const ones = tf.ones([lined.shape[0], 1]) as tf.Tensor2D;
      const columns = Array.from({ length: count }, (_, i) => tf.slice(lined, [0, i], [-1, 1]));
      const before = [ones];
      const after = [ones];
      for (let i = 1; i < count; i++) {
        before.push(tf.mul(before[i - 1]!, columns[i - 1]!));
        after.unshift(tf.mul(after[0]!, columns[count - i]!));
      }
      const others = columns.map((_, i) => tf.mul(before[i]!, after[i]!));
      const lastDy = tf.reshape(dy as tf.Tensor, [-1, 1]);
      const dx = tf.mul(tf.concat(others, 1), lastDy);
      const back = order.map((_, axis) => order.indexOf(axis));
      return tf.transpose(
        tf.reshape(
          dx,
          order.map((axis) => x.shape[axis]!),
        ),
        back,
      );
    },
  }),
};

/** tfjs-core's gradient calls chained ops where `batchDims` is 1. */
const gather: tf.GradConfig = {
  kernelName: "GatherV2",
  inputsToSave: ["x", "indices"],
  gradFunc: (dy, [x, indices], attrs): Gradient => ({
    x: () => {
      const { axis, batchDims = 0 } = attrs as { axis: number; batchDims?: number };
      const [along] = tf.util.parseAxisParam(axis, x.shape);
      const lead = x.shape.slice(0, batchDims);
      const outer = x.shape.slice(batchDims, along);
      const inner = x.shape.slice(along! + 1);
      const [batch, rows, columns] = [lead, outer, inner].map(tf.util.sizeFromShape) as [
        number,
        number,
        number,
      ];
      const count = x.shape[along!]!;
      const picked = batch === 0 ? 0 : indices.size / batch;
      // Every example has segments of its own.
      const values = tf.transpose(tf.reshape(dy as tf.Tensor, [batch, rows, picked, columns]), [0, 2, 1, 3]);
      const starts = tf.reshape(tf.mul(tf.range(0, batch, 1, "int32"), tf.scalar(count, "int32")), [
        batch,
        1,
      ]);
      const ids = tf.reshape(tf.add(tf.reshape(indices, [batch, picked]), starts), [-1]) as tf.Tensor1D;
      const summed = segmentSum(tf.reshape(values, [batch * picked, rows, columns]), ids, batch * count);
      return tf.reshape(
        tf.transpose(tf.reshape(summed, [batch, count, rows, columns]), [0, 2, 1, 3]),
        x.shape,
      );
    },
    indices: () => tf.zeros(indices.shape),
  }),
};

/** tfjs-core's gradient fails where the operands broadcast. Equal operands count as the first, and NaN passes on to both. */
const extremum = (
  kernelName: "Maximum" | "Minimum",
  loses: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor,
  losesOrEquals: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor,
): tf.GradConfig => ({
  kernelName,
  inputsToSave: ["a", "b"],
  gradFunc: (dy, [a, b]) => {
    const unless = (lost: tf.Tensor, x: tf.Tensor) =>
      sumBroadcast(tf.mul(dy as tf.Tensor, tf.cast(tf.logicalNot(lost), "float32")), x.shape);
    return { a: () => unless(loses(a, b), a), b: () => unless(losesOrEquals(b, a), b) };
  },
});

/** tfjs-core's gradient permutes the axes of what is in order already. */
const cumsum: tf.GradConfig = {
  kernelName: "Cumsum",
  inputsToSave: ["x"],
  gradFunc: (dy, _saved, attrs) => {
    const { axis, exclusive, reverse } = attrs as unknown as {
      axis: number;
      exclusive: boolean;
      reverse: boolean;
    };
    return { x: () => tf.cumsum(dy as tf.Tensor, axis, exclusive, !reverse) };
  },
};

/** tfjs-core's gradient leaves out what the mirrored elements pass on. */
const mirrorPad: tf.GradConfig = {
  kernelName: "MirrorPad",
  inputsToSave: ["x"],
  gradFunc: (dy, [x], attrs) => ({
    x: () => {
      const { paddings, mode } = attrs as unknown as {
        paddings: [number, number][];
        mode: "reflect" | "symmetric";
      };
      const edge = mode === "reflect" ? 0 : 1;
      return paddings.reduce((gradient, [before, after], axis) => {
        const size = x.shape[axis]!;
        if (before + after === 0) return gradient;
        const sources = Array.from({ length: before + size + after }, (_, i) => {
          const at = i - before;
          if (at < 0) return -at - edge;
          return at < size ? at : 2 * (size - 1) - at + edge;
        });
        const order = [axis, ...gradient.shape.keys()].filter((other, i) => i === 0 || other !== axis);
        const back = order.map((_, i) => order.indexOf(i));
        const summed = segmentSum(tf.transpose(gradient, order), tf.tensor1d(sources, "int32"), size);
        return tf.transpose(summed, back);
      }, dy as tf.Tensor);
    },
  }),
};

/** How many elements of the input each window holds along an axis; the rest of it is padding. */
const counts = (
  inputs: number,
  outputs: number,
  { size, stride, before }: { size: number; stride: number; before: number },
) =>
  Array.from({ length: outputs }, (_, i) => {
    const first = i * stride - before;
    return Math.min(first + size, inputs) - Math.max(first, 0);
  });

type Pool = "AvgPool" | "AvgPool3D";

/** For each axis of an average pool the size of its window, and how many elements of the input each window holds there. */
function windowsOf(pool: Pool, shape: number[], attrs: Attributes): { size: number; held: number[] }[] {
  const { filterSize, strides, pad, dimRoundingMode } = attrs as never as Record<string, never>;
  const info =
    pool === "AvgPool"
      ? tf.backend_util.computePool2DInfo(
          shape as [number, number, number, number],
          filterSize,
          strides,
          1,
          explicitPadding(pad) as never,
          dimRoundingMode,
        )
      : tf.backend_util.computePool3DInfo(
          shape as [number, number, number, number, number],
          filterSize,
          strides,
          1,
          pad,
          dimRoundingMode,
        );
  const sizes = info as unknown as Record<string, number> & { padInfo: Record<string, number> };
  const before = { Depth: "front", Height: "top", Width: "left" } as const;
  const axes = pool === "AvgPool" ? (["Height", "Width"] as const) : (["Depth", "Height", "Width"] as const);
  return axes.map((axis) => {
    const size = sizes[`filter${axis}`]!;
    const window = {
      size,
      stride: sizes[`stride${axis}`]!,
      before: Math.max(0, sizes.padInfo[before[axis]]!),
    };
    return { size, held: counts(sizes[`in${axis}`]!, sizes[`out${axis}`]!, window) };
  });
}

/** Multiplies each window of an average pool by a factor for each axis. */
const scaled = (
  y: tf.Tensor,
  windows: { size: number; held: number[] }[],
  factor: (size: number, held: number) => number,
): tf.Tensor =>
  windows.reduce((product, { size, held }, i) => {
    if (held.every((count) => count === size)) return product;
    const shape = product.shape.map((_, axis) => (axis === i + 1 ? held.length : 1));
    const factors = held.map((count) => factor(size, count));
    return tf.mul(product, tf.tensor(factors, shape));
  }, y);

/**
 * tfjs's kernels divide by the size of the window, where the pool itself divides by how many elements of the input are in it: `dy`
 * makes up for it.
 */
const averagePool = (pool: Pool): tf.GradConfig => ({
  kernelName: pool,
  inputsToSave: ["x"],
  gradFunc: (dy, [x], attrs) => ({
    x: () => {
      const windows = windowsOf(pool, x.shape, attrs as Attributes);
      const inputs = { dy: scaled(dy as tf.Tensor, windows, (size, held) => size / held), input: x };
      return tf.engine().runKernel(`${pool}Grad`, inputs, attrs as tf.NamedAttrMap) as tf.Tensor;
    },
  }),
});

/** Those kernels are linear in `dy`, and tfjs-core has no gradient of them: each window gets the sum in it by its size. */
const averagePoolGradient = (pool: Pool): tf.GradConfig => ({
  kernelName: `${pool}Grad`,
  gradFunc: (ddx, _saved, attrs) => {
    const slope = ddx as tf.Tensor;
    return {
      dy: () => {
        const averages = tf.engine().runKernel(pool, { x: slope }, attrs as tf.NamedAttrMap) as tf.Tensor;
        const windows = windowsOf(pool, slope.shape, attrs as Attributes);
        return scaled(averages, windows, (size, held) => held / size);
      },
      input: () => tf.zeros(slope.shape),
    };
  },
});

/** tfjs-core has none, or the quotient's, though the result only steps: its derivative is 0 wherever there is one. */
const stepwise = (kernelName: string, inputs: readonly string[]): tf.GradConfig => ({
  kernelName,
  inputsToSave: [...inputs],
  gradFunc: (_dy, saved) =>
    Object.fromEntries(inputs.map((name, i) => [name, () => tf.zeros(saved[i]!.shape)])),
});
const comparisons = ["Equal", "Greater", "Less", "LessEqual", "LogicalAnd", "LogicalOr", "NotEqual"];

/**
 * `tf.div` of integers runs this kernel too, and tfjs-core gives it the quotient's gradient; `tf.floorDiv` of floats only steps.
 */
const floorDiv: tf.GradConfig = {
  ...stepwise("FloorDiv", ["a", "b"]),
  gradFunc: (dy, saved, attrs) => {
    const isInteger = (saved as tf.Tensor[]).every(({ dtype }) => dtype === "int32" || dtype === "bool");
    const config = isInteger ? quotient : stepwise("FloorDiv", ["a", "b"]);
    return config.gradFunc(dy, saved as tf.Tensor[], attrs);
  },
};
const quotient = own("FloorDiv");

/** tfjs-core's gradient has the shape of the product's operand after it was broadcast over batches. */
const batchMatMul: tf.GradConfig = {
  kernelName: "BatchMatMul",
  inputsToSave: ["a", "b"],
  gradFunc: (dy, saved, attrs) => {
    const gradients = own("BatchMatMul").gradFunc(dy, saved as tf.Tensor[], attrs) as Gradient;
    const [a, b] = saved as tf.Tensor[];
    return {
      a: () => sumBroadcast(gradients["a"]!(), a!.shape),
      b: () => sumBroadcast(gradients["b"]!(), b!.shape),
    };
  },
};

/** tfjs-core's gradient expects a list, but tfjs passes one tensor where there is one part. */
const ofParts = (kernelName: "SplitV" | "Unpack"): tf.GradConfig => ({
  ...own(kernelName),
  gradFunc: (dy, saved, attrs) => own(kernelName).gradFunc([dy].flat(), saved as tf.Tensor[], attrs),
});

/** tfjs-core has none: each element goes back to where it was taken from. */
const stridedSlice: tf.GradConfig = {
  kernelName: "StridedSlice",
  inputsToSave: ["x"],
  gradFunc: (dy, [x], attrs): Gradient => ({
    x: () => {
      const places = tf.reshape(tf.range(0, x.size, 1, "int32"), x.shape);
      const taken = tf
        .engine()
        .runKernel("StridedSlice", { x: places }, attrs as tf.NamedAttrMap) as tf.Tensor;
      const flat = [dy as tf.Tensor, taken].map((y) => tf.reshape(y, [-1])) as [tf.Tensor1D, tf.Tensor1D];
      return tf.reshape(segmentSum(...flat, x.size), x.shape);
    },
  }),
};

/** tfjs-core has none for the two, each of which undoes the other. */
const gatherNd: tf.GradConfig = {
  kernelName: "GatherNd",
  inputsToSave: ["params", "indices"],
  gradFunc: (dy, [params, indices]): Gradient => ({
    params: () => {
      // One place in a list of its own is a row of one place.
      const depth = indices.shape.at(-1)!;
      const places = tf.reshape(indices, [-1, depth]);
      const updates = tf.reshape(dy as tf.Tensor, [places.shape[0]!, ...params.shape.slice(depth)]);
      return tf.scatterND(places, updates, params.shape);
    },
    indices: () => tf.zeros(indices.shape),
  }),
};
const scatterNd: tf.GradConfig = {
  kernelName: "ScatterNd",
  inputsToSave: ["indices"],
  gradFunc: (dy, [indices]): Gradient => ({
    updates: () => tf.gatherND(dy as tf.Tensor, indices),
    indices: () => tf.zeros(indices.shape),
  }),
};

/** tfjs-core's gradient adds slice after slice, as many as there are repetitions, and refuses more than 4 axes. */
const tile: tf.GradConfig = {
  kernelName: "Tile",
  inputsToSave: ["x"],
  gradFunc: (dy, [x], attrs): Gradient => ({
    x: () => {
      const { reps } = attrs as unknown as { reps: number[] };
      if (dy instanceof tf.Tensor && dy.size === 0) return tf.zeros(x.shape);
      // Each axis that repeats has one of the repetitions before it.
      const apart = x.shape.flatMap((size, axis) => (reps[axis] === 1 ? [size] : [reps[axis]!, size]));
      const axes = reps.flatMap((count, axis) =>
        count === 1 ? [] : [axis + reps.slice(0, axis).filter((other) => other !== 1).length],
      );
      return tf.sum(tf.reshape(dy as tf.Tensor, apart), axes);
    },
  }),
};

/** Gradients that take the place of tfjs-core's own, or that it lacks. */
export const correctedGradients: readonly tf.GradConfig[] = [
  averagePool("AvgPool"),
  averagePool("AvgPool3D"),
  averagePoolGradient("AvgPool"),
  averagePoolGradient("AvgPool3D"),
  batchMatMul,
  cumsum,
  extremum("Maximum", tf.less, tf.lessEqual),
  extremum("Minimum", tf.greater, tf.greaterEqual),
  gather,
  gatherNd,
  mirrorPad,
  prod,
  scatterNd,
  squaredDifference,
  stridedSlice,
  tile,
  ofParts("SplitV"),
  ofParts("Unpack"),
  floorDiv,
  ...comparisons.map((kernelName) => stepwise(kernelName, ["a", "b"])),
  stepwise("LogicalNot", ["x"]),
];
