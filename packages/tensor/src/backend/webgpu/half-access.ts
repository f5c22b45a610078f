/** An element type of a binding: a float32, or the bits of one, alone or in a vector. */
const elementType = /^(?:vec[24]<)?([fu])32>?$/;

/** How the elements of `array<type>` lie in memory as float16. */
export const halfType = (type: string): string => type.replace(/[fu]32/, "f16");

/** The place of the bracket that closes the one at `open`. */
function closing(wgsl: string, open: number): number {
  let depth = 0;
  for (let i = open; i < wgsl.length; i++) {
    if (wgsl[i] === "[") depth++;
    else if (wgsl[i] === "]" && --depth === 0) return i;
  }
  throw new Error(`dcr-webgpu: no end of "${wgsl.slice(open, open + 40)}"`);
}

/**
 * A kernel's WGSL for bindings that lie in memory as float16, from what it is for float32: where it says `x[place]`, the element is
 * widened, and where it says `y[place] = value;`, the value is rounded. So every kernel takes and gives either, its arithmetic
 * stays float32, and none of them needs to know.
 *
 * @param types the element type in the kernel's eyes, by the binding's name, of those that are float16 in memory.
 */
export function accessHalves(wgsl: string, types: ReadonlyMap<string, string>): string {
  const access = new RegExp(`(?<![\\w.])(${[...types.keys()].join("|")})\\[`);
  const translate = (text: string): string => {
    const found = access.exec(text);
    if (!found) return text;
    const [head, name] = found;
    const type = types.get(name)!;
    const [, kind] = elementType.exec(type) ?? [];
    if (!kind)
      throw new Error(`dcr-webgpu: "${name}" cannot lie in memory as float16, as its elements are ${type}`);
    const open = found.index + head.length - 1;
    const close = closing(text, open);
    const element = `${name}[${translate(text.slice(open + 1, close))}]`;
    const before = text.slice(0, found.index);
    const after = text.slice(close + 1);
    const float = type.replace("u32", "f32");
    const assignment = /^\s*=(?!=)\s*/.exec(after);
    if (!assignment) {
      const widened = `${float}(${element})`;
      return before + (kind === "f" ? widened : `bitcast<${type}>(${widened})`) + translate(after);
    }
    const end = after.indexOf(";");
    const value = translate(after.slice(assignment[0].length, end));
    const rounded = `${halfType(type)}(${kind === "f" ? value : `bitcast<${float}>(${value})`})`;
    return `${before}${element} = ${rounded}${translate(after.slice(end))}`;
  };
  return translate(wgsl);
}
