import * as tf from "@tensorflow/tfjs-core";
import { u32 } from "../launch.js";
import { columnSums } from "./column-sums.js";
import { compensatedSum, compensationUniforms } from "./compensated-sum.js";
import type { Kernel, KernelTable } from "./kernel.js";
import { momentUniforms, rstdDeclaration } from "./moments.js";
import { launchRows } from "./row-launch.js";

const rowsOf = (shape: readonly number[]) => {
  const n = shape.at(-1)!;
  return { n, rows: n === 0 ? 0 : tf.util.sizeFromShape(shape as number[]) / n };
};

const overRow = { first: "invocation", step: "invocations", end: "u.n" };

/**
 * y, and for the gradients each row's mean in two parts and 1 / sqrt(var + epsilon). The variance is summed about the mean, and with it the
 * part of the mean that its rounding left out, so that y and the gradients are as exact for a mean of ten thousand sigma as for none.
 */
const layerNorm: Kernel = ({ inputs: { x, weight, bias }, attrs, backend }) => {
  const { n, rows } = rowsOf(x.shape);
  const outputs = [
    backend.activation(x.shape, [x]),
    backend.output([rows, 2], "float32"),
    backend.output([rows], "float32"),
  ];
  launchRows(backend, {
    name: "LayerNorm",
    inputs: [
      { name: "x", info: x },
      { name: "weight", info: weight },
      { name: "bias", info: bias },
    ],
    outputs: [
      { name: "y", info: outputs[0] },
      { name: "means", info: outputs[1] },
      { name: "rstds", info: outputs[2] },
    ],
    rows,
    rowLength: n,
    uniforms: [...compensationUniforms, u32("n", n), ...momentUniforms(n, attrs.epsilon)],
    declarations: rstdDeclaration,
    body: `let base = row * u.n;
  ${compensatedSum({ ...overRow, sums: { sum: { term: "load_x(base + j) * u.share" } } })}
  let mean = workgroupSum(sum) / (f32(u.n) * u.share);
  ${compensatedSum({
    ...overRow,
    before: "let d = load_x(base + j) - mean;",
    sums: {
      squares: { term: "d * d" },
      smallSquares: { term: "(d * u.small) * (d * u.small)" },
      rest: { term: "d * u.share" },
    },
  })}
  let meanRest = workgroupSum(rest) / (f32(u.n) * u.share);
  let rstd = rstdOf(workgroupSum(squares) / f32(u.n), workgroupSum(smallSquares) / f32(u.n), meanRest);
  for (var j = invocation; j < u.n; j += invocations) {
    store_y(base + j, ((load_x(base + j) - mean) - meanRest) * rstd * load_weight(j) + load_bias(j));
  }
  if (invocation == 0u) {
    store_means(2u * row, mean);
    store_means(2u * row + 1u, meanRest);
    store_rstds(row, rstd);
  }`,
  });
  return outputs;
};

/** With g = dy * weight and n the normalised input: rstd * (g - mean(g) - n * mean(g * n)). */
const gradInput: Kernel = ({ inputs: { x, weight, mean, rstd, dy }, backend }) => {
  const { n, rows } = rowsOf(x.shape);
  const dx = backend.output(x.shape, "float32");
  launchRows(backend, {
    name: "LayerNormGradInput",
    inputs: [
      { name: "x", info: x },
      { name: "weight", info: weight },
      { name: "means", info: mean },
      { name: "rstds", info: rstd },
      { name: "dy", info: dy },
    ],
    outputs: [{ name: "dx", info: dx }],
    rows,
    rowLength: n,
    uniforms: [...compensationUniforms, u32("n", n)],
    body: `let base = row * u.n;
  let mean = load_means(2u * row);
  let meanRest = load_means(2u * row + 1u);
  let rstd = load_rstds(row);
  ${compensatedSum({
    ...overRow,
    before: "let g = load_dy(base + j) * load_weight(j);",
    sums: { sum: { term: "g" }, product: { term: "g * ((load_x(base + j) - mean) - meanRest) * rstd" } },
  })}
  let meanOfG = workgroupSum(sum) / f32(u.n);
  let meanOfProduct = workgroupSum(product) / f32(u.n);
  for (var j = invocation; j < u.n; j += invocations) {
    let normalised = ((load_x(base + j) - mean) - meanRest) * rstd;
    store_dx(base + j, rstd * (load_dy(base + j) * load_weight(j) - meanOfG - normalised * meanOfProduct));
  }`,
  });
  return dx;
};

const gradWeight: Kernel = ({ inputs: { x, mean, rstd, dy }, backend }) => {
  const { n, rows } = rowsOf(x.shape);
  return columnSums(backend, {
    name: "LayerNormGradWeight",
    inputs: [
      { name: "x", info: x },
      { name: "means", info: mean },
      { name: "rstds", info: rstd },
      { name: "dy", info: dy },
    ],
    rows,
    columns: n,
    term: `fn term(row: u32, column: u32) -> f32 {
  let at = row * u.columns + column;
  return load_dy(at) * ((load_x(at) - load_means(2u * row)) - load_means(2u * row + 1u)) * load_rstds(row);
}`,
  });
};

export const layerNormKernels: KernelTable = {
  LayerNorm: layerNorm,
  LayerNormGradInput: gradInput,
  LayerNormGradWeight: gradWeight,
};
