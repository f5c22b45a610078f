import { float32ToFloat16Array } from "../../../shared/half-floats.js";
import type { Kernel, KernelTable } from "./kernel.js";

/** The same values in another storage. Values that still lie on the host are rounded there, so they never take float32 memory on the device. */
const storeAs: Kernel = ({ inputs: { x }, attrs: { storage }, backend }) => {
  if (backend.storageOf(x.dataId) === storage) return backend.alias(x, x.shape);
  const host = backend.hostValues(x.dataId) as Float32Array | null;
  if (host && storage === "float16") return backend.fromHalves(float32ToFloat16Array(host), x.shape);
  if (host) return backend.fromHost(host, x.shape, "float32");
  const y = backend.lastingOutput(x.shape, "float32", storage);
  const size = x.shape.reduce((product, n) => product * n, 1);
  backend.launch({
    name: "StoreAs",
    key: "",
    inputs: [{ name: "x", info: x, type: "vec4<f32>" }],
    outputs: [{ name: "y", info: y, type: "vec4<f32>" }],
    count: Math.ceil(size / 4),
    split: true,
    body: () => "store_y(index, load_x(index));",
  });
  return y;
};

export const storeAsKernels: KernelTable = { StoreAs: storeAs };
