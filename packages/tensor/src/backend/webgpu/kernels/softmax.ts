import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { u32 } from "../launch.js";
import { compensatedSum, compensationUniforms } from "./compensated-sum.js";
import { floatFunctions } from "./float-functions.js";
import type { Kernel, KernelTable } from "./kernel.js";
import { launchRows } from "./row-launch.js";

/** The most negative float32: no logit is lower, and WGSL has no literal for -infinity. */
export const lowestFloat = "-3.40282346638528859812e+38f";

/** exp(x - max) / sum over the last axis, or its logarithm. */
const softmax =
  (name: "Softmax" | "LogSoftmax"): Kernel =>
  ({ inputs: { logits }, attrs, backend }) => {
    const rank = logits.shape.length;
    const axis = attrs.dim ?? attrs.axis ?? -1;
    if (axis !== -1 && axis !== rank - 1)
      throw new Error(`${name}: expected the last axis, got ${axis} of rank ${rank}`);
    const output: TensorInfo = backend.output(logits.shape, "float32");
    const n = logits.shape.at(-1) ?? 1;
    if (n === 0) return output;
    launchRows(backend, {
      name,
      inputs: [{ name: "x", info: logits }],
      outputs: [{ name: "result", info: output }],
      rows: tf.util.sizeFromShape(logits.shape) / n,
      rowLength: n,
      uniforms: [...compensationUniforms, u32("n", n)],
      declarations: floatFunctions("fastExp", "logOf"),
      body: `let base = row * u.n;
  var largest = ${lowestFloat};
  for (var j = invocation; j < u.n; j += invocations) { largest = max(largest, load_x(base + j)); }
  let top = workgroupMax(largest);
  ${compensatedSum({ first: "invocation", step: "invocations", end: "u.n", sums: { share: { term: "fastExp(load_x(base + j) - top)" } } })}
  let total = workgroupSum(share);
  ${
    name === "Softmax"
      ? "for (var j = invocation; j < u.n; j += invocations) { store_result(base + j, fastExp(load_x(base + j) - top) / total); }"
      : "for (var j = invocation; j < u.n; j += invocations) { store_result(base + j, load_x(base + j) - top - logOf(total)); }"
  }`,
    });
    return output;
  };

export const softmaxKernels: KernelTable = {
  Softmax: softmax("Softmax"),
  LogSoftmax: softmax("LogSoftmax"),
};
