import type { TensorInfo } from "@tensorflow/tfjs-core";
import { type Binding, type Uniform, u32 } from "../launch.js";
import type { WebGPUBackend } from "../webgpu-backend.js";
import { compensatedSum, compensationUniforms } from "./compensated-sum.js";
import { reduce } from "./reduce.js";

export interface ColumnSums {
  name: string;
  key?: string;
  inputs: readonly Binding[];
  rows: number;
  columns: number;
  uniforms?: readonly Uniform[];
  /** WGSL that declares `fn term(row: u32, column: u32) -> f32`. */
  term: string;
}

/** For each column, the sum over all rows of a term computed on the fly: the gradients of a norm's weight and bias. */
export function columnSums(backend: WebGPUBackend, op: ColumnSums): TensorInfo {
  const { rows, columns } = op;
  const wanted = backend.isSoftware ? 128 : 16384;
  const shares = Math.max(1, Math.min(Math.ceil(wanted / Math.max(1, columns)), Math.ceil(rows / 16)));
  const partial = backend.output([shares, columns], "float32");
  backend.launch({
    name: op.name,
    key: op.key ?? "",
    inputs: op.inputs,
    outputs: [{ name: "result", info: partial }],
    count: shares * columns,
    uniforms: [
      ...compensationUniforms,
      u32("rows", rows),
      u32("columns", columns),
      u32("shares", shares),
      ...(op.uniforms ?? []),
    ],
    declarations: () => op.term,
    body: () => `let column = index % u.columns;
  let share = index / u.columns;
  ${compensatedSum({ first: "share", step: "u.shares", end: "u.rows", index: "row", sums: { sum: { term: "term(row, column)" } } })}
  store_result(index, sum);`,
  });
  if (shares === 1) return { ...partial, shape: [columns] };
  const whole = reduce(backend, partial, { name: "Sum", axes: [0] });
  backend.disposeAll(partial);
  return whole;
}
