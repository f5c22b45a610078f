import type { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";
import type { KernelFunc, TensorInfo } from "@tensorflow/tfjs-core";

/** Numbers as unsigned integers of the same order: NaN is the largest, and -0 equals 0. */
function keysOf(values: Float32Array | Int32Array | Uint8Array): Uint32Array {
  if (!(values instanceof Float32Array)) return Uint32Array.from(values, (value) => value ^ 0x80000000);
  // Adding 0 turns -0 to 0.
  const bits = new Int32Array(Float32Array.from(values, (value) => value + 0).buffer);
  return Uint32Array.from(bits, (word, i) =>
    Number.isNaN(values[i]) ? 0xffffffff : word < 0 ? ~word : word | 0x80000000,
  );
}

/**
 * The k largest of each row, in falling order, as PyTorch has them: NaN counts as the largest, and of equals the one of the smaller index
 * comes first. tfjs-backend-cpu's kernel compares NaN with `>`, and leaves out larger numbers where there is one.
 */
export const topK: KernelFunc = ({ inputs, attrs, backend }) => {
  const host = backend as MathBackendCPU;
  const { x } = inputs as { x: TensorInfo };
  const { k } = attrs as unknown as { k: number };
  const all = host.data.get(x.dataId).values as Float32Array | Int32Array | Uint8Array;
  const length = x.shape.at(-1)!;
  const rows = length === 0 ? 0 : all.length / length;
  const values = all.slice(0, rows * k);
  const indices = new Int32Array(rows * k);
  for (let row = 0; row < rows && k > 0; row++) {
    const keys = keysOf(all.subarray(row * length, (row + 1) * length));
    const smallest = keys.slice().sort()[length - k];
    const larger: number[] = [];
    const equal: number[] = [];
    for (const [i, key] of keys.entries()) {
      if (key > smallest) larger.push(i);
      else if (key === smallest && equal.length < k) equal.push(i);
    }
    const best = [...larger.sort((i, j) => keys[j] - keys[i] || i - j), ...equal].slice(0, k);
    for (const [place, i] of best.entries()) {
      indices[row * k + place] = i;
      values[row * k + place] = all[row * length + i];
    }
  }
  const shape = [...x.shape.slice(0, -1), k];
  return [host.makeTensorInfo(shape, x.dtype, values), host.makeTensorInfo(shape, "int32", indices)];
};
