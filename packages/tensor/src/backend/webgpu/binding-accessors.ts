/** An element type of a binding: a float32, or the bits of one, alone or in a vector. */
const elementType = /^(?:vec[24]<)?([fu])32>?$/;

/**
 * How vectors of float16 are read: a CPU adapter takes as long to load 16 bits as to load 32, and loads are most of a product's time
 * there, so two elements come in one word.
 */
const inWords: Record<string, { words: string; value: string }> = {
  "vec2<f32>": { words: "u32", value: "unpack2x16float(words)" },
  "vec4<f32>": {
    words: "vec2<u32>",
    value: "vec4<f32>(unpack2x16float(words.x), unpack2x16float(words.y))",
  },
};

export interface DeclaredBinding {
  name: string;
  /** The element type that the kernel computes with. */
  type: string;
  /** Whether elements lie in memory as float16. */
  isHalf: boolean;
  /** Its number in group 1. */
  binding: number;
  access: "read" | "read_write";
}

/**
 * WGSL that declares a binding and its accessors: kernels read an element by `load_<name>(index)` and write it by
 * `store_<name>(index, value)`. Where elements are float16 in memory, the first widens and the second rounds, so that every kernel
 * computes in float32. Atomic elements have no accessors; kernels use the variable `<name>`.
 */
export function declareBinding({ name, type, isHalf, binding, access }: DeclaredBinding): string {
  const declare = (variable: string, element: string) =>
    `@group(1) @binding(${binding}) var<storage, ${access}> ${variable}: array<${element}>;`;
  const [, kind] = elementType.exec(type) ?? [];
  if (isHalf && !kind)
    throw new Error(`dcr-webgpu: "${name}" cannot lie in memory as float16, as its elements are ${type}`);
  if (type.startsWith("atomic<")) return declare(name, type);
  if (isHalf && access === "read" && type in inWords) {
    const { words, value } = inWords[type];
    return `${declare(`${name}_elements`, words)}
fn load_${name}(index: u32) -> ${type} { let words = ${name}_elements[index]; return ${value}; }`;
  }
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
