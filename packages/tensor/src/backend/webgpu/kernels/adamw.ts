import * as tf from "@tensorflow/tfjs-core";
import { f32 } from "../launch.js";
import type { Kernel, KernelTable } from "./kernel.js";

/** All of AdamW's arithmetic in one dispatch a parameter: four reads and three writes an element. */
const adamWStep: Kernel = ({ inputs, attrs, backend }) => {
  const { parameter, gradient, first, second } = inputs;
  const count = tf.util.sizeFromShape(parameter.shape);
  const outputs = ["newParameter", "newFirst", "newSecond"].map((name) => ({
    name,
    info: backend.output(parameter.shape, "float32"),
    type: "vec4<f32>",
  }));
  backend.launch({
    name: "AdamWStep",
    key: "",
    inputs: Object.entries({ parameter, gradient, first, second }).map(([name, info]) => ({
      name,
      info,
      type: "vec4<f32>",
    })),
    outputs,
    // Buffers are padded to 16 bytes.
    count: Math.ceil(count / 4),
    split: true,
    uniforms: [
      f32("beta1", attrs.beta1),
      f32("beta2", attrs.beta2),
      // Rounded once from float64: 1 - beta2 in float32 would lose half of its digits.
      f32("newShare1", 1 - attrs.beta1),
      f32("newShare2", 1 - attrs.beta2),
      f32("epsilon", attrs.epsilon),
      f32("stepSize", attrs.stepSize),
      f32("correction", attrs.correction),
      f32("kept", attrs.kept),
    ],
    body: () => `let g = load_gradient(index);
  let m = load_first(index) * u.beta1 + g * u.newShare1;
  let v = load_second(index) * u.beta2 + g * g * u.newShare2;
  store_newFirst(index, m);
  store_newSecond(index, v);
  store_newParameter(index, load_parameter(index) * u.kept - u.stepSize * (m / (sqrt(v) / u.correction + u.epsilon)));`,
  });
  return outputs.map(({ info }) => info);
};

export const adamWKernels: KernelTable = { AdamWStep: adamWStep };
