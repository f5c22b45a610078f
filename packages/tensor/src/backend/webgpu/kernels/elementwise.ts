import type { DataType, TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { type Binding, f32, i32, type Uniform, u32List } from "../launch.js";
import type { WebGPUBackend } from "../webgpu-backend.js";
import { type FloatFunction, floatFunctions } from "./float-functions.js";
import { elementType } from "./kernel.js";

export interface Elementwise {
  name: string;
  /** Everything that `expression` and `declarations` depend on besides the name and the element types. */
  key?: string;
  /** Broadcast against each other; each is a variable of its name in `expression`. */
  inputs: Record<string, TensorInfo>;
  shape: number[];
  dtype: DataType;
  uniforms?: readonly Uniform[];
  /** Whether it is a step inside an op and not its result: its values stay float32. */
  isStep?: boolean;
  /** Functions of float32 that `expression` and `declarations` call, besides `isNan` and its kin. */
  functions?: readonly FloatFunction[];
  /** Other WGSL functions that `expression` calls. */
  declarations?: string;
  /** WGSL of one output element, from the inputs' names and `u.name`; its type is that of `dtype`. */
  expression: string;
}

/**
 * Any function of elements at the same coordinates, with broadcasting: axes along which every operand steps alike are merged, so
 * that equal shapes become one long row. Four elements an invocation where rows allow it. An operand of one element that
 * lies on the host goes in as a uniform and needs no upload.
 */
export function elementwise(backend: WebGPUBackend, op: Elementwise): TensorInfo {
  const output =
    op.dtype === "float32" && !op.isStep
      ? backend.activation(op.shape, Object.values(op.inputs))
      : backend.output(op.shape, op.dtype);
  const count = tf.util.sizeFromShape(op.shape);
  if (count === 0) return output;

  const names = Object.keys(op.inputs);
  const constants = names.filter((name) => hostScalar(backend, op.inputs[name]) !== null);
  const bound = names.filter((name) => !constants.includes(name));
  const { dims, strides } = mergeAxes(
    op.shape,
    bound.map((name) => op.inputs[name].shape),
  );
  const inner = dims.at(-1) ?? 1;
  const innerStrides = strides.map((stride) => stride.at(-1) ?? 0);
  const flat = dims.length <= 1;
  const vectors = flat || (inner % 4 === 0 && strides.every(startsOnVectors));
  const width = vectors ? 4 : 1;
  const inputs: Binding[] = bound.map((name, i) => {
    const type = elementType(op.inputs[name].dtype);
    return {
      name: `${name}_values`,
      info: op.inputs[name],
      type: vectors && innerStrides[i] === 1 ? `vec4<${type}>` : type,
    };
  });
  const outType = elementType(op.dtype);
  const shape = `${dims.length <= 1 ? 1 : dims.length}${innerStrides.join("")}${constants.join()}`;
  backend.launch({
    name: op.name,
    key: `${op.key ?? ""}/${width}/${shape}/${names.map((name) => op.inputs[name].dtype)}`,
    inputs,
    outputs: [{ name: "result", info: output, type: vectors ? `vec4<${outType}>` : outType }],
    count: Math.ceil(count / width),
    ...(flat ? { split: true } : { rowLength: inner / width }),
    uniforms: [
      ...(flat ? [] : u32List("dim", dims.slice(0, -1))),
      ...(flat ? [] : bound.flatMap((name, i) => u32List(`${name}_stride`, strides[i].slice(0, -1)))),
      ...constants.map((name) => constant(backend, name, op.inputs[name])),
      ...(op.uniforms ?? []),
    ],
    declarations: () => {
      const parameters = names.map((name) => `${name}: ${elementType(op.inputs[name].dtype)}`).join(", ");
      return `${floatFunctions("isNan", ...(op.functions ?? []))}${op.declarations ?? ""}
fn apply(${parameters}) -> ${outType} { return ${op.expression}; }`;
    },
    body: () => {
      const lines = flat ? ["let column = index;"] : coordinatesOfRow(dims.length - 1);
      bound.forEach((name, i) => {
        const outer = dims.slice(0, -1).map((_, axis) => `at${axis} * u.${name}_stride${axis}`);
        const base = flat || outer.length === 0 ? "0u" : outer.join(" + ");
        if (innerStrides[i] === 0) lines.push(`let ${name} = load_${name}_values(${base});`);
        else if (vectors) lines.push(`let ${name} = load_${name}_values((${base}) / 4u + column);`);
        else lines.push(`let ${name} = load_${name}_values(${base} + column);`);
      });
      const argument = (name: string, component: string) => {
        if (constants.includes(name)) return `u.${name}`;
        return vectors && innerStrides[bound.indexOf(name)] === 1 ? `${name}.${component}` : name;
      };
      const call = (component: string) =>
        `apply(${names.map((name) => argument(name, component)).join(", ")})`;
      lines.push(
        vectors
          ? `store_result(index, vec4<${outType}>(${["x", "y", "z", "w"].map(call).join(", ")}));`
          : `store_result(index, ${call("x")});`,
      );
      return lines.join("\n  ");
    },
  });
  return output;
}

/** WGSL of a float32 as `dtype` holds it on tfjs's cpu backend: whole, and in 8 bits as bool. It calls `toInt32`. */
export const wholeOf = (float: string, dtype: DataType) =>
  dtype === "bool" ? `toInt32(${float}) & 255` : `toInt32(${float})`;

/** WGSL of the coordinates `at0`, `at1`, ... along `axes` axes, of sizes `u.dim0`, `u.dim1`, ..., at which `row` lies. */
export function coordinatesOfRow(axes: number): string[] {
  const lines = ["var rest = row;"];
  for (let axis = axes - 1; axis > 0; axis--) {
    lines.push(`let at${axis} = rest % u.dim${axis}; rest = rest / u.dim${axis};`);
  }
  return axes > 0 ? [...lines, "let at0 = rest;"] : [];
}

/** Whether an operand's rows start on vec4 bounds; an operand that repeats one element is read by element. */
const startsOnVectors = (stride: readonly number[]) =>
  stride.at(-1) === 0 || stride.slice(0, -1).every((step) => step % 4 === 0);

/** The value of a one-element tensor that lies on the host, else null. */
function hostScalar(backend: WebGPUBackend, info: TensorInfo): number | null {
  if (tf.util.sizeFromShape(info.shape) !== 1) return null;
  const values = backend.hostValues(info.dataId);
  return values ? (values[0] as number) : null;
}

function constant(backend: WebGPUBackend, name: string, info: TensorInfo): Uniform {
  const value = hostScalar(backend, info)!;
  return info.dtype === "float32" ? f32(name, value) : i32(name, value);
}

/**
 * The axes of `shape` with neighbours merged wherever every operand steps through both as through one.
 *
 * @returns sizes, and for each operand its step along each axis (0 where it is repeated).
 */
export function mergeAxes(shape: readonly number[], operands: readonly (readonly number[])[]) {
  const full = operands.map((operand) => {
    const padded = [...new Array(shape.length - operand.length).fill(1), ...operand];
    const steps = tf.util.computeStrides(padded).concat(1);
    return padded.map((size, axis) => (size === 1 ? 0 : steps[axis]));
  });
  return mergeStrides(shape, full);
}

/** As `mergeAxes`, from steps. Axes of size 1 vanish. */
export function mergeStrides(shape: readonly number[], steps: readonly (readonly number[])[]) {
  const dims: number[] = [];
  const strides: number[][] = steps.map(() => []);
  for (let axis = 0; axis < shape.length; axis++) {
    if (shape[axis] === 1) continue;
    const last = dims.length - 1;
    const mergeable = last >= 0 && strides.every((own, i) => own[last] === steps[i][axis] * shape[axis]);
    if (mergeable) dims[last] *= shape[axis];
    else dims.push(shape[axis]);
    strides.forEach((own, i) => {
      if (mergeable) own[last] = steps[i][axis];
      else own.push(steps[i][axis]);
    });
  }
  return { dims, strides };
}
