import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { f32, type Uniform, u32 } from "../launch.js";
import type { WebGPUBackend } from "../webgpu-backend.js";
import { floatFunctions } from "./float-functions.js";
import type { Attributes, Kernel, KernelTable } from "./kernel.js";

// Local response normalization (Krizhevsky et al. 2012): y = x * norm^-beta, with
// norm = bias + alpha * the sum of squares over the channels at most `depthRadius` away.

const uniformsOf = (x: TensorInfo, { depthRadius, bias, alpha, beta }: Attributes): Uniform[] => [
  u32("channels", x.shape.at(-1)!),
  // A radius beyond all channels is as good as theirs, and fits u32.
  u32("radius", Math.min(depthRadius, x.shape.at(-1)!)),
  f32("bias", bias),
  f32("alpha", alpha),
  f32("beta", beta),
];

/** WGSL that sees the pixel's first element as `base` and loops over `j`, the channels near `channel`. */
const nearby = (body: string) => `let channel = index % u.channels;
  let base = index - channel;
  let end = min(channel + u.radius + 1u, u.channels);
  for (var j = max(channel, u.radius) - u.radius; j < end; j++) { ${body} }`;

/** For each element its `norm`, or `x * norm^-beta`. */
function normalize(
  backend: WebGPUBackend,
  x: TensorInfo,
  { attrs, result }: { attrs: Attributes; result: "norm" | "y" },
): TensorInfo {
  const output = backend.output(x.shape, "float32");
  backend.launch({
    name: "LRN",
    key: result,
    inputs: [{ name: "x", info: x }],
    outputs: [{ name: "result", info: output }],
    count: tf.util.sizeFromShape(x.shape),
    uniforms: uniformsOf(x, attrs),
    declarations: () => floatFunctions("powOf"),
    body: () => `var squares = 0.0;
  ${nearby("squares = fma(load_x(base + j), load_x(base + j), squares);")}
  let norm = u.bias + u.alpha * squares;
  store_result(index, ${result === "norm" ? "norm" : "load_x(index) * powOf(norm, -u.beta)"});`,
  });
  return output;
}

const lrn: Kernel = ({ inputs: { x }, attrs, backend }) => normalize(backend, x, { attrs, result: "y" });

const lrnGradient: Kernel = ({ inputs: { x, y, dy }, attrs, backend }) => {
  const norm = normalize(backend, x, { attrs, result: "norm" });
  const dx = backend.output(x.shape, "float32");
  backend.launch({
    name: "LRNGrad",
    key: "",
    inputs: [
      { name: "x", info: x },
      { name: "y", info: y },
      { name: "dy", info: dy },
      { name: "norm", info: norm },
    ],
    outputs: [{ name: "result", info: dx }],
    count: tf.util.sizeFromShape(x.shape),
    uniforms: uniformsOf(x, attrs),
    declarations: () => floatFunctions("powOf"),
    body: () => `var sum = 0.0;
  ${nearby("sum += load_dy(base + j) * load_y(base + j) / load_norm(base + j);")}
  store_result(index, load_dy(index) * powOf(load_norm(index), -u.beta) - 2.0 * u.alpha * u.beta * load_x(index) * sum);`,
  });
  backend.disposeAll(norm);
  return dx;
};

export const lrnKernels: KernelTable = {
  LRN: lrn,
  LRNGrad: lrnGradient,
};
