import type { DataType, TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { WebGPUBackend } from "../webgpu-backend.js";
import { elementwise } from "./elementwise.js";
import { fft } from "./fft.js";
import { fill } from "./fill.js";
import type { Attributes, Kernel, KernelTable } from "./kernel.js";
import { cast, shapeKernels } from "./shape.js";

/** Kernels that only move elements or are linear in them: they apply to the real and the imaginary parts separately. */
const linear = [
  ...[
    "Slice",
    "StridedSlice",
    "Concat",
    "Pack",
    "Unpack",
    "SplitV",
    "Transpose",
    "Reverse",
    "Tile",
    "BroadcastTo",
  ],
  ...["GatherV2", "GatherNd", "Select", "ScatterNd", "UnsortedSegmentSum", "Diag"],
  ...["Add", "Sub", "AddN", "Neg", "Sum", "Mean", "Cumsum", "ZerosLike"],
];

/** A kernel on the real parts and on the imaginary parts of its complex inputs; other inputs go to both. */
const onParts =
  (kernel: Kernel, imaginaryAttrs: Attributes = {}): Kernel =>
  ({ inputs, attrs, backend }) => {
    const run = (which: "real" | "imag") => {
      const parts = Object.entries(inputs).map(([name, x]) => {
        return [name, x?.dtype === "complex64" ? backend.part(x, which) : x];
      });
      const own = which === "real" ? attrs : { ...attrs, ...imaginaryAttrs };
      return kernel({ inputs: Object.fromEntries(parts), attrs: own, backend });
    };
    const [real, imag] = [run("real"), run("imag")];
    if (!Array.isArray(real)) return backend.complex(real, imag as TensorInfo);
    return real.map((part, i) => backend.complex(part, (imag as TensorInfo[])[i]));
  };

const multiply: Kernel = ({ inputs: { a, b }, backend }) => {
  const shape = tf.broadcast_util.assertAndGetBroadcastShape(a.shape, b.shape);
  const inputs = {
    ar: backend.part(a, "real"),
    ai: backend.part(a, "imag"),
    br: backend.part(b, "real"),
    bi: backend.part(b, "imag"),
  };
  const part = (key: string, expression: string) =>
    elementwise(backend, { name: "ComplexMultiply", key, inputs, shape, dtype: "float32", expression });
  return backend.complex(part("real", "ar * br - ai * bi"), part("imag", "ar * bi + ai * br"));
};

/** The modulus, scaled by the larger part so that its square neither overflows nor vanishes. */
const modulus: Kernel = ({ inputs: { x }, backend }) =>
  elementwise(backend, {
    name: "ComplexAbs",
    inputs: { re: backend.part(x, "real"), im: backend.part(x, "imag") },
    shape: x.shape,
    dtype: "float32",
    declarations: `
fn modulus(a: f32, b: f32) -> f32 {
  if (isInf(a) || isInf(b)) { return infinity(); }
  if (isNan(a) || isNan(b)) { return quietNan(); }
  let large = max(abs(a), abs(b));
  if (large == 0.0) { return 0.0; }
  let ratio = min(abs(a), abs(b)) / large;
  return large * sqrt(1.0 + ratio * ratio);
}`,
    expression: "modulus(re, im)",
  });

const part =
  (which: "real" | "imag"): Kernel =>
  ({ inputs: { input }, backend }) =>
    backend.share(backend.part(input, which));

/** To and from complex64; towards a real dtype the imaginary part is dropped. */
function castComplex(backend: WebGPUBackend, x: TensorInfo, dtype: DataType): TensorInfo {
  if (x.dtype === dtype) return backend.alias(x, x.shape);
  if (dtype === "complex64") {
    const real = x.dtype === "float32" ? backend.share(x) : cast(backend, x, "float32");
    return backend.complex(real, fill(backend, x.shape, { dtype: "float32", value: 0 }));
  }
  const real = backend.part(x, "real");
  return dtype === "float32" ? backend.share(real) : cast(backend, real, dtype);
}

/** Kernels whose inputs or outputs are complex64, from those of real tensors. */
export const complexKernels = (kernels: KernelTable): KernelTable => ({
  // Identity, Reshape and ExpandDims hand on what they got.
  ...shapeKernels,
  ...Object.fromEntries(linear.map((name) => [name, onParts(kernels[name])])),
  PadV2: onParts(kernels["PadV2"], { constantValue: 0 }),
  OnesLike: ({ inputs: { x }, backend }) =>
    backend.complex(
      fill(backend, x.shape, { dtype: "float32", value: 1 }),
      fill(backend, x.shape, { dtype: "float32", value: 0 }),
    ),
  Multiply: multiply,
  Cast: ({ inputs: { x }, attrs, backend }) => castComplex(backend, x, attrs.dtype),
  ComplexAbs: modulus,
  Real: part("real"),
  Imag: part("imag"),
  FFT: ({ inputs: { input }, backend }) => fft(backend, input, false),
  IFFT: ({ inputs: { input }, backend }) => fft(backend, input, true),
});

export const complexFromReal: KernelTable = {
  Complex: ({ inputs: { real, imag }, backend }) => backend.complex(backend.share(real), backend.share(imag)),
};
