import type { TensorInfo } from "@tensorflow/tfjs-core";
import { type DeclaredBinding, declareBinding } from "./binding-accessors.js";

/** A field of a kernel's uniform struct. */
export interface Uniform {
  name: string;
  type: "u32" | "i32" | "f32";
  value: number;
}

export const u32 = (name: string, value: number): Uniform => ({ name, type: "u32", value });
export const i32 = (name: string, value: number): Uniform => ({ name, type: "i32", value });
export const f32 = (name: string, value: number): Uniform => ({ name, type: "f32", value });

/** Fields `prefix0`, `prefix1`, ... */
export const u32List = (prefix: string, values: readonly number[]) =>
  values.map((value, i) => u32(prefix + i, value));
export const i32List = (prefix: string, values: readonly number[]) =>
  values.map((value, i) => i32(prefix + i, value));

/** A tensor that a kernel uses: it reads by `load_<name>(index)` and, if it is an output, writes by `store_<name>(index, value)`. */
export interface Binding {
  name: string;
  info: TensorInfo;
  /** Element type; by default f32 for float32, i32 for int32 and bool. */
  type?: string;
  /** Whether the elements lie in memory as float16, which the accessors hide from the kernel. The backend says so. */
  half?: boolean;
  /** The elements that the kernel sees, if not all. `first` is a multiple of `partAlignment`. */
  part?: { first: number; count: number };
}

/** Every device takes offsets of bindings that are multiples of 256 bytes; this many float16 elements are that. */
export const partAlignment = 128;

interface LaunchBase {
  /** The kernel, as it appears in errors. */
  name: string;
  /**
   * Everything that the WGSL depends on besides the name and the element types. Pipelines are cached by it, and the WGSL is made
   * once for each.
   */
  key: string;
  inputs: readonly Binding[];
  /** Written tensors. A tensor that is also read is listed here only. */
  outputs: readonly Binding[];
  uniforms?: readonly Uniform[];
  /** WGSL at module scope. */
  declarations?: () => string;
}

/** `body` is run for each `index: u32` in `[0, count)`, and sees the uniforms as `u.name`. */
export interface LinearLaunch extends LaunchBase {
  count: number;
  /** Where indices run over rows of this length, `body` sees `row` and `column` too, and need not divide. */
  rowLength?: number;
  /**
   * Whether an invocation uses bindings of `vec4`s at `index` only, and other bindings are small. Tensors may then be larger than a
   * binding: they go in pieces.
   */
  split?: boolean;
  body: () => string;
}

/** A grid of workgroups; `body` sees `group`, `local` (`vec3<u32>`) and `localIndex` (`u32`). */
export interface GridLaunch extends LaunchBase {
  workgroups: readonly [number, number, number];
  workgroupSize: readonly [number, number, number];
  /** Whether the WGSL uses subgroup operations; it then sees `subgroupInvocation`, its number in the subgroup. */
  subgroups?: boolean;
  body: () => string;
}

export type Launch = LinearLaunch | GridLaunch;

const defaultType = (info: TensorInfo) => (info.dtype === "float32" ? "f32" : "i32");

export const bindingType = (binding: Binding) => binding.type ?? defaultType(binding.info);

/** The whole WGSL module of a launch. */
export function wgslOf(launch: GridLaunch): string {
  const fields = launch.uniforms?.length ? launch.uniforms : [u32("unused", 0)];
  const { inputs, outputs } = launch;
  const bindings = [...inputs, ...outputs].map(
    (binding, i): DeclaredBinding => ({
      name: binding.name,
      type: bindingType(binding),
      isHalf: binding.half === true,
      binding: i,
      access: i < inputs.length ? "read" : "read_write",
    }),
  );
  const features = [
    ...(launch.subgroups ? ["subgroups"] : []),
    ...(bindings.some((b) => b.isHalf) ? ["f16"] : []),
  ];
  return `${features.map((feature) => `enable ${feature};\n`).join("")}struct Uniforms { ${fields.map(({ name, type }) => `${name}: ${type}`).join(", ")} }
@group(0) @binding(0) var<uniform> u: Uniforms;
${bindings.map(declareBinding).join("\n")}
${launch.declarations?.() ?? ""}
@compute @workgroup_size(${launch.workgroupSize.join(", ")})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
  @builtin(local_invocation_index) localIndex: u32,
  ${launch.subgroups ? "@builtin(subgroup_invocation_id) subgroupInvocation: u32," : ""}
) {
  ${launch.body()}
}
`;
}
