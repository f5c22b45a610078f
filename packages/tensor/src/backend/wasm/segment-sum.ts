import * as tf from "@tensorflow/tfjs-core";
import type { Kernel } from "./kernel.js";

/** The gradient of gather, which tfjs-backend-wasm lacks: rows of `x` summed by segment; ids outside of the segments are left out. */
export const unsortedSegmentSum: Kernel = ({ inputs, attrs, backend, output }) => {
  const { x, segmentIds } = inputs;
  const count = attrs.numSegments as number;
  const inner = tf.util.sizeFromShape(x.shape.slice(segmentIds.shape.length));
  const y = output([count, ...x.shape.slice(segmentIds.shape.length)]);
  const from = backend.typedArrayFromHeap(x);
  const ids = backend.typedArrayFromHeap(segmentIds);
  const to = backend.typedArrayFromHeap(y).fill(0);
  for (let i = 0; i < ids.length; i++) {
    if (ids[i] < 0 || ids[i] >= count) continue;
    for (let j = 0; j < inner; j++) to[ids[i] * inner + j] += from[i * inner + j];
  }
  return y;
};
