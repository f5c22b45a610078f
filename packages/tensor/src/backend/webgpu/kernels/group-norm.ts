import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { Binding, Uniform } from "../launch.js";
import { u32 } from "../launch.js";
import { columnSums } from "./column-sums.js";
import { compensatedSum, compensationUniforms } from "./compensated-sum.js";
import type { Kernel, KernelTable } from "./kernel.js";
import { momentUniforms, rstdDeclaration } from "./moments.js";
import { launchRows } from "./row-launch.js";

function geometry(shape: readonly number[], groups: number) {
  const [batch, height, width, channels] = shape;
  const pixels = height * width;
  const uniforms: Uniform[] = [
    u32("pixels", pixels),
    u32("channels", channels),
    u32("groups", groups),
    u32("groupChannels", channels / groups),
  ];
  return { batch, pixels, channels, uniforms, rowLength: pixels };
}

/** WGSL over the elements of a group (row = image * groups + group): pixels by invocation, channels within; sees `at` and `channel`. */
const overGroup = (
  statement: string,
) => `for (var pixel = invocation; pixel < u.pixels; pixel += invocations) {
    for (var channel = first; channel < first + u.groupChannels; channel++) {
      let at = (image * u.pixels + pixel) * u.channels + channel;
      ${statement}
    }
  }`;

/** WGSL of sums over the elements of a group, from statements that add to `<name>OfPixel`: plain in a pixel, compensated over pixels. */
const sumsOverGroup = (names: readonly string[], statement: string) =>
  compensatedSum({
    first: "invocation",
    step: "invocations",
    end: "u.pixels",
    index: "pixel",
    before: `${names.map((name) => `var ${name}OfPixel = 0.0;`).join(" ")}
    for (var channel = first; channel < first + u.groupChannels; channel++) {
      let at = (image * u.pixels + pixel) * u.channels + channel;
      ${statement}
    }`,
    sums: Object.fromEntries(names.map((name) => [name, { term: `${name}OfPixel` }])),
  });

const coordinates = `let image = row / u.groups;
  let first = (row % u.groups) * u.groupChannels;
  let count = f32(u.pixels * u.groupChannels);`;

const siluSlope = `
fn siluSlope(a: f32) -> f32 {
  let gate = 1.0 / (1.0 + exp(-a));
  return gate * (1.0 + a * (1.0 - gate));
}`;

/** y, and for the gradients each group's mean, in two parts as `layerNorm`'s, and 1 / sqrt(var + epsilon). */
const groupNorm: Kernel = ({ inputs: { x, weight, bias }, attrs, backend }) => {
  const { groups, epsilon, silu } = attrs;
  const { batch, uniforms, rowLength } = geometry(x.shape, groups);
  const outputs = [
    backend.activation(x.shape, [x]),
    backend.output([batch, groups, 2], "float32"),
    backend.output([batch, groups], "float32"),
  ];
  launchRows(backend, {
    name: "GroupNorm",
    key: silu ? "silu" : "",
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
    rows: batch * groups,
    rowLength,
    uniforms: [
      ...compensationUniforms,
      ...uniforms,
      ...momentUniforms(rowLength * (x.shape[3] / groups), epsilon),
    ],
    declarations: rstdDeclaration,
    body: `${coordinates}
  ${sumsOverGroup(["sum"], "sumOfPixel += load_x(at) * u.share;")}
  let mean = workgroupSum(sum) / (count * u.share);
  ${sumsOverGroup(
    ["squares", "smallSquares", "rest"],
    `let d = load_x(at) - mean; squaresOfPixel += d * d; smallSquaresOfPixel += (d * u.small) * (d * u.small);
      restOfPixel += d * u.share;`,
  )}
  let meanRest = workgroupSum(rest) / (count * u.share);
  let rstd = rstdOf(workgroupSum(squares) / count, workgroupSum(smallSquares) / count, meanRest);
  ${overGroup(
    `let a = ((load_x(at) - mean) - meanRest) * rstd * load_weight(channel) + load_bias(channel);
      store_y(at, ${silu ? "a / (1.0 + exp(-a))" : "a"});`,
  )}
  if (invocation == 0u) {
    store_means(2u * row, mean);
    store_means(2u * row + 1u, meanRest);
    store_rstds(row, rstd);
  }`,
  });
  return outputs;
};

const bindings = (
  { x, weight, bias, mean, rstd, dy }: Record<string, TensorInfo>,
  silu: boolean,
): Binding[] => [
  { name: "x", info: x },
  { name: "means", info: mean },
  { name: "rstds", info: rstd },
  { name: "dy", info: dy },
  { name: "weight", info: weight },
  ...(silu ? [{ name: "bias", info: bias }] : []),
];

/** WGSL of the gradient at the affine map's output. */
const dAffine = (silu: boolean) =>
  silu ? "load_dy(at) * siluSlope(normalised * load_weight(channel) + load_bias(channel))" : "load_dy(at)";

/** With g = dAffine * weight and n the normalised input: rstd * (g - mean(g) - n * mean(g * n)). */
const gradInput: Kernel = ({ inputs, attrs, backend }) => {
  const { groups, silu } = attrs;
  const { batch, uniforms, rowLength } = geometry(inputs.x.shape, groups);
  const dx = backend.output(inputs.x.shape, "float32");
  const g = `let normalised = ((load_x(at) - mean) - meanRest) * rstd;
      let g = ${dAffine(silu)} * load_weight(channel);`;
  launchRows(backend, {
    name: "GroupNormGradInput",
    key: silu ? "silu" : "",
    inputs: bindings(inputs, silu),
    outputs: [{ name: "dx", info: dx }],
    rows: batch * groups,
    rowLength,
    uniforms: [...compensationUniforms, ...uniforms],
    declarations: siluSlope,
    body: `${coordinates}
  let mean = load_means(2u * row);
  let meanRest = load_means(2u * row + 1u);
  let rstd = load_rstds(row);
  ${sumsOverGroup(["sum", "product"], `${g} sumOfPixel += g; productOfPixel += g * normalised;`)}
  let meanOfG = workgroupSum(sum) / count;
  let meanOfProduct = workgroupSum(product) / count;
  ${overGroup(`${g} store_dx(at, rstd * (g - meanOfG - normalised * meanOfProduct));`)}`,
  });
  return dx;
};

const gradOfAffine =
  (which: "Weight" | "Bias"): Kernel =>
  ({ inputs, attrs, backend }) => {
    const { groups, silu } = attrs;
    const { batch, pixels, channels, uniforms } = geometry(inputs.x.shape, groups);
    return columnSums(backend, {
      name: `GroupNormGrad${which}`,
      key: silu ? "silu" : "",
      inputs: bindings(inputs, silu),
      rows: batch * pixels,
      columns: channels,
      uniforms,
      term: `${siluSlope}
fn term(row: u32, channel: u32) -> f32 {
  let at = row * u.channels + channel;
  let group = row / u.pixels * u.groups + channel / u.groupChannels;
  let normalised = ((load_x(at) - load_means(2u * group)) - load_means(2u * group + 1u)) * load_rstds(group);
  return ${dAffine(silu)}${which === "Weight" ? " * normalised" : ""};
}`,
    });
  };

export const groupNormKernels: KernelTable = {
  GroupNorm: groupNorm,
  GroupNormGradInput: gradInput,
  GroupNormGradWeight: gradOfAffine("Weight"),
  GroupNormGradBias: gradOfAffine("Bias"),
};
