import type { TensorInfo } from "@tensorflow/tfjs-core";
import { accessHalves, halfType } from "./half-access.js";

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

/** A tensor as a kernel sees it: a variable `name` of type `array<type>`. */
export interface Binding {
  name: string;
  info: TensorInfo;
  /** Element type; by default f32 for float32, i32 for int32 and bool. */
  type?: string;
  /** Whether the elements lie in memory as float16, of which the kernel's WGSL knows nothing. The backend says so. */
  half?: boolean;
}

interface LaunchBase {
  /** The kernel, as it appears in errors. */
  name: string;
  /**
   * Everything that the WGSL text depends on besides the name and the element types: pipelines are cached under it,
   * and the text is made once.
   */
  key: string;
  inputs: readonly Binding[];
  /** Written tensors. One that is also read (`update` in place) is listed here alone. */
  outputs: readonly Binding[];
  uniforms?: readonly Uniform[];
  /** WGSL at module scope. */
  declarations?: () => string;
}

/** `body` is run for each `index: u32` in `[0, count)`, and sees the uniforms as `u.name`. */
export interface LinearLaunch extends LaunchBase {
  count: number;
  /** Where indices are places in rows of this length, `body` sees `row` and `column` too, and need not divide. */
  rowLength?: number;
  /**
   * Whether each binding of `vec4`s is touched at `index` alone, and other bindings are small: tensors larger than a binding
   * may be then, and go in pieces.
   */
  split?: boolean;
  body: () => string;
}

/** A grid of workgroups; `body` sees `group`, `local` (`vec3<u32>`) and `localIndex` (`u32`). */
export interface GridLaunch extends LaunchBase {
  workgroups: readonly [number, number, number];
  workgroupSize: readonly [number, number, number];
  /** Whether the WGSL uses subgroup operations; it then sees `lane`, the place in the subgroup. */
  subgroups?: boolean;
  body: () => string;
}

export type Launch = LinearLaunch | GridLaunch;

const defaultType = (info: TensorInfo) => (info.dtype === "float32" ? "f32" : "i32");

export const bindingType = (binding: Binding) => binding.type ?? defaultType(binding.info);

/** The whole WGSL module of a launch. */
export function wgslOf(launch: GridLaunch): string {
  const fields = launch.uniforms?.length ? launch.uniforms : [u32("unused", 0)];
  const bindings = [
    ...launch.inputs.map((binding) => ({ binding, mode: "read" })),
    ...launch.outputs.map((binding) => ({ binding, mode: "read_write" })),
  ];
  const halves = new Map(
    bindings.flatMap(({ binding }) => (binding.half ? [[binding.name, bindingType(binding)]] : [])),
  );
  const access = (text: string) => (halves.size ? accessHalves(text, halves) : text);
  return `${launch.subgroups ? "enable subgroups;\n" : ""}${halves.size ? "enable f16;\n" : ""}struct Uniforms { ${fields.map(({ name, type }) => `${name}: ${type}`).join(", ")} }
@group(0) @binding(0) var<uniform> u: Uniforms;
${bindings
  .map(({ binding, mode }, i) => {
    const type = bindingType(binding);
    return `@group(1) @binding(${i}) var<storage, ${mode}> ${binding.name}: array<${binding.half ? halfType(type) : type}>;`;
  })
  .join("\n")}
${access(launch.declarations?.() ?? "")}
@compute @workgroup_size(${launch.workgroupSize.join(", ")})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
  @builtin(local_invocation_index) localIndex: u32,
  ${launch.subgroups ? "@builtin(subgroup_invocation_id) lane: u32," : ""}
) {
  ${access(launch.body())}
}
`;
}
