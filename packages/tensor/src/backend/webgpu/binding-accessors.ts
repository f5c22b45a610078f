/** An element type of a binding: a float32, or the bits of one, alone or in a vector. */
const elementType = /^(?:vec[24]<)?([fu])32>?$/;

export interface DeclaredBinding {
  name: string;
  /** The element type in the kernel's eyes. */
  type: string;
  /** Whether elements lie in memory as float16. */
  isHalf: boolean;
  /** Its number in group 1. */
  binding: number;
  access: "read" | "read_write";
}

/**
 * WGSL that declares a binding, and how kernels reach its elements: by `load_<name>(index)` and, where they may write it,
 * `store_<name>(index, value)`. An element that is float16 in memory is widened by the one and rounded by the other, so kernels
 * compute in float32 and need not know. Atomic elements are reached by the variable `<name>` itself.
 */
export function declareBinding({ name, type, isHalf, binding, access }: DeclaredBinding): string {
  const declare = (variable: string, element: string) =>
    `@group(1) @binding(${binding}) var<storage, ${access}> ${variable}: array<${element}>;`;
  const [, kind] = elementType.exec(type) ?? [];
  if (isHalf && !kind)
    throw new Error(`dcr-webgpu: "${name}" cannot lie in memory as float16, as its elements are ${type}`);
  if (type.startsWith("atomic<")) return declare(name, type);
  const float = type.replace("u32", "f32");
  const stored = isHalf ? float.replace("f32", "f16") : type;
  const widened = isHalf ? `${float}(${name}_elements[index])` : `${name}_elements[index]`;
  const loaded = isHalf && kind === "u" ? `bitcast<${type}>(${widened})` : widened;
  const rounded = kind === "u" ? `${stored}(bitcast<${float}>(value))` : `${stored}(value)`;
  const store = `
fn store_${name}(index: u32, value: ${type}) { ${name}_elements[index] = ${isHalf ? rounded : "value"}; }`;
  return `${declare(`${name}_elements`, stored)}
fn load_${name}(index: u32) -> ${type} { return ${loaded}; }${access === "read" ? "" : store}`;
}
