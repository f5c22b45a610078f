import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { explicitPadding, paddingOf } from "../shared/explicit-padding.js";

// biome-ignore lint/suspicious/noExplicitAny: what attributes hold is each kernel's own affair
type Attributes = Record<string, any>;
type Inputs = Record<string, TensorInfo>;
type Geometry = ReturnType<typeof tf.backend_util.computeConv2DInfo>;
type Shape3D = [number, number, number];
type Shape4D = [number, number, number, number];

const { computeConv2DInfo, computeDilation2DInfo, computePool2DInfo, convertConv2DDataFormat } =
  tf.backend_util;

/** The geometry of a kernel that slides a window over an image, or of its gradients. */
type GeometryOf = (inputs: Inputs, attrs: Attributes) => Geometry;

const convolution =
  (isDepthwise: boolean): GeometryOf =>
  ({ x, filter }, attrs) =>
    computeConv2DInfo(
      (x?.shape ?? attrs.inputShape) as Shape4D,
      (filter?.shape ?? attrs.filterShape) as Shape4D,
      attrs.strides,
      attrs.dilations ?? 1,
      attrs.pad,
      attrs.dimRoundingMode,
      isDepthwise,
      convertConv2DDataFormat(attrs.dataFormat ?? "NHWC"),
    );

const pool: GeometryOf = ({ x, input }, { filterSize, strides, pad, dimRoundingMode }) =>
  computePool2DInfo((x ?? input).shape as Shape4D, filterSize, strides, 1, pad, dimRoundingMode);

const dilation: GeometryOf = ({ x, filter }, { strides, pad, dilations }) =>
  computeDilation2DInfo(x.shape as Shape4D, filter.shape as Shape3D, strides, pad, "NHWC", dilations);

const named = (names: string, geometryOf: GeometryOf) =>
  names.split(" ").map((name) => [name, geometryOf] as const);

const convolutions = "Conv2D FusedConv2D Conv2DAndSum Conv2DBackpropInput Conv2DBackpropFilter";
const depthwiseConvolutions =
  "DepthwiseConv2dNative FusedDepthwiseConv2D DepthwiseConv2dNativeBackpropInput DepthwiseConv2dNativeBackpropFilter";
const geometries = new Map([
  ...named(convolutions, convolution(false)),
  ...named(depthwiseConvolutions, convolution(true)),
  ...named("MaxPool AvgPool MaxPoolWithArgmax MaxPoolGrad AvgPoolGrad", pool),
  ...named("Dilation2D Dilation2DBackpropInput Dilation2DBackpropFilter", dilation),
]);
const isConvolution = new Set(`${convolutions} ${depthwiseConvolutions}`.split(" "));
const isDepthwise = new Set(depthwiseConvolutions.split(" "));

/** The kernels whose attributes `settledAttributes` rewrites or checks. */
export const settledKernels: readonly string[] = [...geometries.keys(), "Cumsum", "Cumprod"];

/**
 * The attributes of a kernel as every backend reads them right: a number as padding has its sides spelled out, and so has "same" for
 * a convolution, of which tfjs-backend-wasm makes zeros where strides leave out the last pixels of an axis; an axis from the end is
 * one from the start.
 *
 * @throws where the window is larger than the padded image, and for a depthwise convolution with "NCHW", which tfjs's kernels take
 * for "NHWC".
 */
export function settledAttributes(kernelName: string, inputs: Inputs, attrs: Attributes): Attributes {
  if (kernelName === "Cumsum" || kernelName === "Cumprod") {
    return { ...attrs, axis: tf.util.parseAxisParam(attrs.axis, inputs.x.shape)[0] };
  }
  const geometryOf = geometries.get(kernelName);
  if (!geometryOf) return attrs;
  const { dataFormat } = attrs;
  if (isDepthwise.has(kernelName) && dataFormat === "NCHW") {
    throw new Error(
      `depthwiseConv2d: dataFormat must be "NHWC", got "NCHW"; transpose x by [0, 2, 3, 1] and the result by [0, 3, 1, 2]`,
    );
  }
  const settled = { ...attrs, pad: explicitPadding(attrs.pad, dataFormat) };
  const geometry = geometryOf(inputs, settled);
  checkFits(kernelName, geometry);
  if (settled.pad === "same" && isConvolution.has(kernelName)) {
    const { top, bottom, left, right } = geometry.padInfo;
    settled.pad = paddingOf([top, bottom], [left, right], dataFormat);
  }
  return settled;
}

function checkFits(kernelName: string, geometry: Geometry): void {
  const { outHeight, outWidth, effectiveFilterHeight, effectiveFilterWidth, inHeight, inWidth, padInfo } =
    geometry;
  if (outHeight >= 0 && outWidth >= 0) return;
  const { top, bottom, left, right } = padInfo;
  throw new Error(
    `${kernelName}: the window of ${effectiveFilterHeight} x ${effectiveFilterWidth} must fit into the image of ` +
      `${inHeight} x ${inWidth} with padding [[${top}, ${bottom}], [${left}, ${right}]]`,
  );
}
