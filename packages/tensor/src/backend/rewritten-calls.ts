import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { type KernelParameters, onBackend, type Rewrite, type Run } from "./rewrite.js";
import { withoutLastVoxels } from "./without-last-voxels.js";

interface SliceAttributes {
  begin: number[];
  end: number[];
  strides: number[];
  beginMask: number;
  endMask: number;
  ellipsisMask: number;
  newAxisMask: number;
  shrinkAxisMask: number;
}

/** A strided slice that drops axes, as one that keeps all axes of x and no others: their kernels count axes after they dropped some. */
const allAxes: Rewrite = (_backendName, { inputs, attrs, backend }, run) => {
  const given = attrs as unknown as SliceAttributes;
  if (!given.shrinkAxisMask) return null;
  const { shape } = (inputs as Record<"x", TensorInfo>).x;
  const info = tf.slice_util.sliceInfo(
    shape,
    given.begin,
    given.end,
    given.strides,
    given.beginMask,
    given.endMask,
    given.ellipsisMask,
    given.newAxisMask,
    given.shrinkAxisMask,
  );
  const [begin, end] = [[...info.begin], [...info.end]];
  let endMask = 0;
  for (const [axis, stride] of info.strides.entries()) {
    // Before the first element is -1 here, which is the last element there.
    if (begin[axis] < 0) [begin[axis], end[axis]] = [0, 0];
    else if (stride < 0 && end[axis] < 0) endMask |= 1 << axis;
  }
  const masks = { beginMask: 0, endMask, ellipsisMask: 0, newAxisMask: 0, shrinkAxisMask: 0 };
  const y = run({ inputs, attrs: { begin, end, strides: info.strides, ...masks }, backend });
  return { ...y, shape: info.finalShape };
};

/** A product whose operands are both repeated along batch axes, with whole operands: their kernels step through one axis of batches. */
const wholeBatches: Rewrite = (backendName, { inputs, attrs, backend }, run) => {
  const { a, b } = inputs as Record<"a" | "b", TensorInfo>;
  const leads = [a, b].map(({ shape }) => shape.slice(0, -2));
  const lead = tf.broadcast_util.assertAndGetBroadcastShape(leads[0], leads[1]);
  const batch = tf.util.sizeFromShape(lead);
  const isPartial = leads.map(tf.util.sizeFromShape).some((own) => own !== batch && own !== 1);
  if (batch === 0 || !isPartial) return null;
  const [wholeA, wholeB] = [a, b].map((x, i) => {
    const own = [...new Array(lead.length - leads[i].length).fill(1), ...leads[i]];
    const reps = [...lead.map((size, axis) => size / own[axis]), 1, 1];
    const operand = { ...x, shape: [...own, ...x.shape.slice(-2)] };
    return onBackend(backendName, backend)("Tile", { x: operand }, { reps });
  });
  const y = run({ inputs: { ...inputs, a: wholeA, b: wholeB }, attrs, backend });
  for (const { dataId } of [wholeA, wholeB]) (backend as tf.KernelBackend).disposeData(dataId);
  return y;
};

/** An average over whole images as their mean, which adds long sums in float64: tfjs-backend-wasm adds windows in float32. */
const meanOfWhole: Rewrite = (backendName, { inputs, attrs, backend }) => {
  const { x } = inputs as { x: TensorInfo };
  const { filterSize, pad } = attrs as unknown as { filterSize: number | number[]; pad: unknown };
  const axes = [...x.shape.keys()].slice(1, -1);
  const isWhole = axes.every(
    (axis, i) => x.shape[axis] === (Array.isArray(filterSize) ? filterSize[i] : filterSize),
  );
  const isPadded = pad !== "valid" && [pad].flat(2).some((side) => side !== 0);
  if (!isWhole || isPadded) return null;
  return onBackend(backendName, backend)("Mean", { x }, { axis: axes, keepDims: true });
};

/** A choice among no elements, of operands of one shape: tfjs-core's broadcast leaves an axis of 1 where there is to be none. */
const ofNothing: Rewrite = (_backendName, { inputs, attrs, backend }, run) => {
  const { condition, t, e } = inputs as Record<"condition" | "t" | "e", TensorInfo>;
  const shape = [condition, t, e].map((x) => x.shape).find((own) => own.includes(0));
  if (!shape || [condition, t, e].every((x) => tf.util.arraysEqual(x.shape, shape))) return null;
  const of = (x: TensorInfo) => ({ ...x, shape });
  return run({ inputs: { condition: of(condition), t: of(t), e: of(e) }, attrs, backend });
};

const volumes =
  "MaxPool3D AvgPool3D Conv3D MaxPool3DGrad AvgPool3DGrad Conv3DBackpropInputV2 Conv3DBackpropFilterV2".split(
    " ",
  );

const rewrites: Record<string, readonly Rewrite[]> = {
  StridedSlice: [allAxes],
  BatchMatMul: [wholeBatches],
  Select: [ofNothing],
  ...Object.fromEntries(volumes.map((kernelName) => [kernelName, [withoutLastVoxels]])),
  AvgPool: [meanOfWhole],
  AvgPool3D: [meanOfWhole, withoutLastVoxels],
};

/** The kernels whose calls are rewritten on backends that run tfjs's own. */
export const rewrittenKernels: readonly string[] = Object.keys(rewrites);

/** The result of `run` for a call as the kernel computes it right, or null where the call is one already. */
export function rewritten(
  backendName: string,
  kernelName: string,
  params: KernelParameters,
  run: Run,
): TensorInfo | null {
  for (const rewrite of rewrites[kernelName] ?? []) {
    const result = rewrite(backendName, params, run);
    if (result) return result;
  }
  return null;
}
