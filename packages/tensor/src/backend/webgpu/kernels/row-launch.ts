import type { Binding, Uniform } from "../launch.js";
import type { WebGPUBackend } from "../webgpu-backend.js";

export interface RowLaunch {
  name: string;
  key?: string;
  inputs: readonly Binding[];
  outputs: readonly Binding[];
  rows: number;
  /** Elements that a row has to go through; decides whether a workgroup shares it. */
  rowLength: number;
  uniforms?: readonly Uniform[];
  declarations?: string;
  /**
   * WGSL that sees `row` and goes through its elements with `for (var j = invocation; j < n; j += invocations)`; `workgroupSum(v)` and
   * `workgroupMax(v)` combine the invocations' values. It guards by `invocation == 0u` what only one invocation may do.
   */
  body: string;
}

const workgroupSize = 64;

/**
 * A kernel that reduces rows: one text for a GPU, where 64 invocations of a workgroup share a row and combine through
 * workgroup memory, and for CPU adapters and short rows, where one invocation owns a row and barriers would only cost.
 */
export function launchRows(backend: WebGPUBackend, op: RowLaunch): void {
  if (op.rows === 0) return;
  const shared = !backend.isSoftware && op.rowLength >= workgroupSize;
  const base = {
    name: op.name,
    key: `${op.key ?? ""}/${shared ? "workgroup" : "invocation"}`,
    inputs: op.inputs,
    outputs: op.outputs,
  };
  if (!shared) {
    backend.launch({
      ...base,
      count: op.rows,
      uniforms: op.uniforms,
      declarations: () => `${op.declarations ?? ""}
const invocations = 1u;
const invocation = 0u;
fn workgroupSum(value: f32) -> f32 { return value; }
fn workgroupMax(value: f32) -> f32 { return value; }`,
      body: () => `let row = index;\n  ${op.body}`,
    });
    return;
  }
  const tree = (name: string, combined: string) => `
fn ${name}(value: f32) -> f32 {
  partial[invocation] = value;
  workgroupBarrier();
  for (var half = ${workgroupSize / 2}u; half > 0u; half /= 2u) {
    if (invocation < half) {
      let a = partial[invocation];
      let b = partial[invocation + half];
      partial[invocation] = ${combined};
    }
    workgroupBarrier();
  }
  let all = partial[0];
  workgroupBarrier();
  return all;
}`;
  backend.launch({
    ...base,
    workgroups: [op.rows, 1, 1],
    workgroupSize: [workgroupSize, 1, 1],
    uniforms: op.uniforms,
    declarations: () => `${op.declarations ?? ""}
const invocations = ${workgroupSize}u;
var<private> invocation: u32;
var<workgroup> partial: array<f32, ${workgroupSize}>;
${tree("workgroupSum", "a + b")}
${tree("workgroupMax", "max(a, b)")}`,
    body: () => `invocation = localIndex;
  let row = group.x;
  ${op.body}`,
  });
}
