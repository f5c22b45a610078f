import * as tf from "@tensorflow/tfjs-core";
import { sumSegments } from "../sum-segments.js";
import type { Kernel } from "./kernel.js";

/** The gradient of gather, which tfjs-backend-wasm lacks: rows of `x` summed by segment. */
export const unsortedSegmentSum: Kernel = ({ inputs, attrs, backend, output }) => {
  const { x, segmentIds } = inputs;
  const tail = x.shape.slice(segmentIds.shape.length);
  const y = output([attrs.numSegments, ...tail]);
  sumSegments(backend.typedArrayFromHeap(y) as Float32Array, backend.typedArrayFromHeap(x) as Float32Array, {
    ids: backend.typedArrayFromHeap(segmentIds) as Int32Array,
    inner: tf.util.sizeFromShape(tail),
  });
  return y;
};
