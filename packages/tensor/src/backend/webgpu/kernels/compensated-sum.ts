import { u32 } from "../launch.js";

export interface CompensatedSum {
  /** Of the variables that this declares, one for each sum; their types are f32, or vectors of it. */
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

/** What the WGSL of `compensatedSum` reads besides. */
export const compensationUniforms = [u32("zero", 0)];

/**
 * WGSL that sums float32 terms over an index, to about the last bit however many they are, where a plain loop over a million equal
 * terms may lose three digits: what each addition rounds off is taken from the next term (Kahan 1965).
 *
 * Compilers may simplify `(a + b) - a` to `b`, and Mesa's does, which would undo this. A zero that they do not know, mixed into the
 * bits, keeps them from it.
 *
 * Where a term is not finite, or a sum overflows, the result is NaN or that infinity; a plain sum may say which.
 */
export function compensatedSum({ sums, first, step, end, before = "", index = "j" }: CompensatedSum): string {
  const all = Object.entries(sums).map(([name, { type = "f32", term }]) => {
    const bits = type === "f32" ? "u32" : "vec4<u32>";
    const asIs = (wgsl: string) => `bitcast<${type}>(bitcast<${bits}>(${wgsl}) ^ ${bits}(u.zero))`;
    return {
      declarations: `var ${name} = ${type}(); var ${name}Excess = ${type}();`,
      addition: `let ${name}Term = ${type}(${term}) - ${name}Excess;
    let ${name}Next = ${asIs(`${name} + ${name}Term`)};
    ${name}Excess = ${asIs(`${name}Next - ${name}`)} - ${name}Term;
    ${name} = ${name}Next;`,
    };
  });
  return `${all.map(({ declarations }) => declarations).join(" ")}
  for (var ${index} = ${first}; ${index} < ${end}; ${index} += ${step}) {
    ${before}
    ${all.map(({ addition }) => addition).join("\n    ")}
  }`;
}
