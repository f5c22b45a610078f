import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Kernel } from "./kernel.js";

const size = tf.util.sizeFromShape;

/** Runs of neighbouring axes, as [first, end), from the last to the first. */
function runsOfAxes(axis: number | number[], shape: number[]): [first: number, end: number][] {
  const axes = new Set(tf.util.parseAxisParam(axis, shape));
  const runs: [number, number][] = [];
  for (let end = shape.length; end > 0; end--) {
    if (!axes.has(end - 1)) continue;
    let first = end - 1;
    while (axes.has(first - 1)) first--;
    runs.push([first, end]);
    end = first;
  }
  return runs;
}

/** Sums or means in float64, where tfjs-backend-wasm adds one by one in float32. One pass for each run of neighbouring axes. */
const reduction =
  (isMean: boolean): Kernel =>
  ({ inputs, attrs, backend, split, at, output }) => {
    const shape = [...inputs.x.shape];
    let current: TensorInfo = inputs.x;
    for (const [first, end] of runsOfAxes(attrs.axis, shape)) {
      const [outer, middle, inner] = [shape.slice(0, first), shape.slice(first, end), shape.slice(end)].map(
        size,
      );
      shape.fill(1, first, end);
      const y = output(shape);
      const [from, to] = [current, y].map(at);
      const extent = { size: outer, work: middle * inner, scratch: inner > 1 ? 12 * inner : 0 };
      split.run("sum", extent, (at, count, scratch) => [
        ...[count, middle, inner, isMean ? middle : 1],
        ...[from + 4 * at * middle * inner, to + 4 * at * inner, scratch],
      ]);
      if (current !== inputs.x) backend.disposeData(current.dataId);
      current = y;
    }
    if (current === inputs.x) backend.incRef(current.dataId);
    const axes = tf.util.parseAxisParam(attrs.axis, shape);
    const reduced = attrs.keepDims ? shape : shape.filter((_, i) => !axes.includes(i));
    return { dataId: current.dataId, shape: reduced, dtype: "float32" };
  };

export const reductionKernels: Record<string, Kernel> = { Sum: reduction(false), Mean: reduction(true) };
