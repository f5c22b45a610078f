import { u32 } from "../launch.js";

export interface CompensatedSum {
  /** By the names of the variables that this declares. */
  sums: Record<string, { type?: "f32" | "vec4<f32>"; term: string }>;
  /** WGSL of the first index, of the step from one to the next, and of the end. */
  first: string;
  step: string;
  end: string;
  /** WGSL statements before the terms, for each index. */
  before?: string;
  /** The index in `before` and the terms. Default `j`. */
  index?: string;
}

/** Uniforms that the WGSL of `compensatedSum` reads. */
export const compensationUniforms = [u32("zero", 0)];

/**
 * WGSL that sums float32 terms over an index, to about the last bit however many they are, where a plain loop over a million equal
 * terms may lose three digits: what each addition rounds off is taken from the next term (Kahan 1965).
 *
 * Compilers may simplify `(a + b) - a` to `b`, as Mesa's does, which would undo this. The exclusive or with a zero that they cannot know
 * prevents it.
 *
 * Where a term is not finite or the sum overflows, the rounding error is NaN: the result is the plain sum then, as IEEE 754 asks.
 */
export function compensatedSum({ sums, first, step, end, before = "", index = "j" }: CompensatedSum): string {
  const all = Object.entries(sums).map(([name, { type = "f32", term }]) => ({
    ...compensated(name, type),
    addition: compensated(name, type).add(term),
    name,
  }));
  return `${all.map(({ declarations }) => declarations).join(" ")}
  for (var ${index} = ${first}; ${index} < ${end}; ${index} += ${step}) {
    ${before}
    ${all.map(({ addition }) => addition).join("\n    ")}
  }
  ${all.map(({ name, value }) => `${name} = ${value};`).join("\n  ")}`;
}

/** WGSL of one such sum, named `name`: its declarations, the statements that add a term, and its value so far. */
export function compensated(name: string, type: "f32" | "vec4<f32>" = "f32") {
  const bits = type === "f32" ? "u32" : "vec4<u32>";
  const asIs = (wgsl: string) => `bitcast<${type}>(bitcast<${bits}>(${wgsl}) ^ ${bits}(u.zero))`;
  const exponent = `${bits}(0x7f800000u)`;
  return {
    declarations: `var ${name} = ${type}(); var ${name}Excess = ${type}(); var ${name}Plain = ${type}();`,
    add: (term: string) => `let ${name}Given = ${type}(${term});
    ${name}Plain += ${name}Given;
    let ${name}Term = ${name}Given - ${name}Excess;
    let ${name}Next = ${asIs(`${name} + ${name}Term`)};
    ${name}Excess = ${asIs(`${name}Next - ${name}`)} - ${name}Term;
    ${name} = ${name}Next;`,
    value: `select(${name}, ${name}Plain, (bitcast<${bits}>(${name}) & ${exponent}) == ${exponent})`,
  };
}

/** WGSL of `sum`, over the `j` from `first` to `end` that `condition` holds for, of terms of a type; compensated for float32. */
export function sumWhere(
  type: string,
  { terms, first, end, condition }: { terms: string; first: string; end: string; condition: string },
): string {
  if (type === "f32") {
    const before = `if (!(${condition})) { continue; }`;
    return compensatedSum({ sums: { sum: { term: terms } }, first, step: "1u", end, before });
  }
  return `var sum = ${type}(0);
  for (var j = ${first}; j < ${end}; j++) {
    if (${condition}) { sum += ${terms}; }
  }`;
}
