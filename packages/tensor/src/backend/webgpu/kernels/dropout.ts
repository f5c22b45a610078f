import { util } from "@tensorflow/tfjs-core";
import type { DropoutAttributes } from "../../../ops/dropout.js";
import { f32, u32 } from "../launch.js";
import type { Kernel, KernelTable } from "./kernel.js";

/** Philox 4x32-10 (`shared/philox.ts`), of the key and the block number in the uniforms. WGSL has no 64-bit product of two words. */
const philox = `
fn multiplyHigh(a: u32, b: u32) -> u32 {
  let aLow = a & 0xffffu; let aHigh = a >> 16u;
  let bLow = b & 0xffffu; let bHigh = b >> 16u;
  let middle = aHigh * bLow + ((aLow * bLow) >> 16u);
  let carry = aLow * bHigh + (middle & 0xffffu);
  return aHigh * bHigh + (middle >> 16u) + (carry >> 16u);
}
fn philox(block: u32) -> vec4<u32> {
  let low = u.counterLow + block;
  var c = vec4<u32>(low, u.counterHigh + select(0u, 1u, low < block), 0u, 0u);
  var k = vec2<u32>(u.keyLow, u.keyHigh);
  for (var round = 0u; round < 10u; round++) {
    let high0 = multiplyHigh(0xd2511f53u, c.x);
    let high1 = multiplyHigh(0xcd9e8d57u, c.z);
    c = vec4<u32>(high1 ^ c.y ^ k.x, 0xcd9e8d57u * c.z, high0 ^ c.w ^ k.y, 0xd2511f53u * c.x);
    k += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}`;

const dropout: Kernel = ({ inputs: { x }, attrs, backend }) => {
  const { start, firstKept, scale } = attrs as DropoutAttributes;
  const { key, counter } = start;
  const y = backend.activation(x.shape, [x]);
  backend.launch({
    name: "Dropout",
    key: "",
    inputs: [{ name: "x", info: x, type: "vec4<f32>" }],
    outputs: [{ name: "y", info: y, type: "vec4<f32>" }],
    count: Math.ceil(util.sizeFromShape(x.shape) / 4),
    uniforms: [
      u32("keyLow", key[0]),
      u32("keyHigh", key[1]),
      u32("counterLow", counter >>> 0),
      u32("counterHigh", Math.floor(counter / 2 ** 32)),
      u32("firstKept", firstKept),
      f32("scale", scale),
    ],
    declarations: () => philox,
    // A product with a mask of zeros would make NaN of an infinity, as PyTorch's does.
    body: () => `let kept = philox(index) >= vec4<u32>(u.firstKept);
  store_y(index, load_x(index) * select(vec4<f32>(0.0), vec4<f32>(u.scale), kept));`,
  });
  return y;
};

export const dropoutKernels: KernelTable = { Dropout: dropout };
