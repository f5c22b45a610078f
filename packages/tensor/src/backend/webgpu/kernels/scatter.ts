import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { u32, u32List } from "../launch.js";
import type { WebGPUBackend } from "../webgpu-backend.js";
import { fill } from "./fill.js";
import { segmentSum } from "./indexing.js";
import type { Kernel, KernelTable } from "./kernel.js";

const { calculateShapes } = tf.backend_util;

/**
 * Rows of indices into the leading axes of `shape`, each as one number. An index out of range throws where the indices still lie
 * on the host; on the device it becomes -1, since a shader cannot throw.
 */
function flatIndices(
  backend: WebGPUBackend,
  indices: TensorInfo,
  { shape, sliceRank, numUpdates }: { shape: readonly number[]; sliceRank: number; numUpdates: number },
): TensorInfo {
  const limits = shape.slice(0, sliceRank);
  const onHost = (backend.hostValues(indices.dataId) as Int32Array | null) ?? [];
  onHost.forEach((at, i) => {
    if (at >= 0 && at < limits[i % sliceRank]) return;
    const row = [...onHost.slice(i - (i % sliceRank), i - (i % sliceRank) + sliceRank)];
    throw new Error(`Invalid indices: [${row}] does not index into [${shape}]`);
  });
  const result = backend.output([numUpdates], "int32");
  backend.launch({
    name: "FlatIndices",
    key: `${sliceRank}`,
    inputs: [{ name: "indices", info: indices }],
    outputs: [{ name: "result", info: result }],
    count: numUpdates,
    uniforms: u32List("limit", limits),
    body: () => `var flat = 0;
  var inside = true;
  ${limits
    .map(
      (_, d) => `let at${d} = load_indices(index * ${sliceRank}u + ${d}u);
  inside = inside && at${d} >= 0 && u32(at${d}) < u.limit${d};
  flat = flat * i32(u.limit${d}) + at${d};`,
    )
    .join("\n  ")}
  store_result(index, select(-1, flat, inside));`,
  });
  return result;
}

const scatterNd: Kernel = ({ inputs: { indices, updates }, attrs, backend }) => {
  const { shape } = attrs;
  const { sliceRank, numUpdates, sliceSize, outputSize } = calculateShapes(
    updates as tf.Tensor,
    indices as tf.Tensor,
    shape,
  );
  if (outputSize === 0) return backend.output(shape, updates.dtype);
  const ids = flatIndices(backend, indices, { shape, sliceRank, numUpdates });
  const rows = { ...updates, shape: [numUpdates, sliceSize] };
  const sums = segmentSum(backend, rows, { segmentIds: ids, numSegments: outputSize / sliceSize });
  backend.disposeAll(ids);
  return { ...sums, shape };
};

interface Replacement {
  name: string;
  base: TensorInfo;
  indices: TensorInfo;
  updates: TensorInfo;
  shape: number[];
}

/**
 * `base` with slices replaced by `updates`; where several name one slice the last is taken, as by a loop over them: each slice
 * first learns the highest row that names it, then every element is written once. A scalar `base` or update stands for all.
 */
function replaceSlices(
  backend: WebGPUBackend,
  { name, base, indices, updates, shape }: Replacement,
): TensorInfo {
  const { sliceRank, numUpdates, sliceSize, outputSize } = calculateShapes(
    updates as tf.Tensor,
    indices as tf.Tensor,
    shape,
  );
  const output = backend.output(shape, updates.dtype);
  if (outputSize === 0) return output;
  const ids = flatIndices(backend, indices, { shape, sliceRank, numUpdates });
  const winners = fill(backend, [outputSize / sliceSize], { dtype: "int32", value: 0 });
  backend.launch({
    name: "ScatterWinners",
    key: "",
    inputs: [{ name: "ids", info: ids }],
    outputs: [{ name: "winners", info: winners, type: "atomic<i32>" }],
    count: numUpdates,
    body: () => "let id = load_ids(index); if (id >= 0) { atomicMax(&winners[id], i32(index) + 1); }",
  });
  backend.launch({
    name,
    key: "",
    inputs: [
      { name: "base", info: base, type: "u32" },
      { name: "updates", info: updates, type: "u32" },
      { name: "winners", info: winners },
    ],
    outputs: [{ name: "result", info: output, type: "u32" }],
    count: outputSize,
    uniforms: [
      u32("slice", sliceSize),
      u32("baseStep", base.shape.length === 0 ? 0 : 1),
      u32("updateStep", updates.shape.length === 0 ? 0 : 1),
    ],
    body: () => `let winner = load_winners(index / u.slice);
  if (winner == 0) {
    store_result(index, load_base(index * u.baseStep));
  } else {
    store_result(index, load_updates((u32(winner - 1) * u.slice + index % u.slice) * u.updateStep));
  }`,
  });
  backend.disposeAll(ids, winners);
  return output;
}

const tensorScatterUpdate: Kernel = ({ inputs: { tensor, indices, updates }, backend }) =>
  replaceSlices(backend, {
    name: "TensorScatterUpdate",
    base: tensor,
    indices,
    updates,
    shape: tensor.shape,
  });

const sparseToDense: Kernel = ({ inputs: { sparseIndices, sparseValues, defaultValue }, attrs, backend }) =>
  replaceSlices(backend, {
    name: "SparseToDense",
    base: defaultValue,
    indices: sparseIndices,
    updates: sparseValues,
    shape: attrs.outputShape,
  });

export const scatterKernels: KernelTable = {
  ScatterNd: scatterNd,
  TensorScatterUpdate: tensorScatterUpdate,
  SparseToDense: sparseToDense,
};
