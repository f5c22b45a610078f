import { initialize, Random } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, it } from "vitest";
import { featureScatter, noiseScatter } from "../diagnostics/scatter.js";
import { theoremOne } from "../diagnostics/theorem-1.js";
import { backpropagateInChunks, chunkedGradient, predictInChunks } from "../predictions/chunked-gradient.js";
import { checkFloatTensor } from "./check-float-tensor.js";
import { reconstructionLoss } from "./reconstruction-loss.js";

beforeAll(() => initialize({ device: "cpu" }));

it("takes float32 tensors with as many axes, of whatever static type", () => {
  const x = new Random(0).normal([4, 3]);
  expect(() => checkFloatTensor("x", x)).not.toThrow();
  expect(() => checkFloatTensor("x", x, "[n, dim]")).not.toThrow();
  // What tfjs types as of any rank is an input.
  tf.dispose([featureScatter(x, [0, 0, 1, 1]), reconstructionLoss(x, x), x] as tf.TensorContainer);
});

it.each<[string, (given: never) => unknown, string]>([
  ["featureScatter", (x) => featureScatter(x, [0, 1]), "features must be a tensor [n, dim]"],
  ["noiseScatter", (x) => noiseScatter(x, [0, 1]), "noises must be a tensor"],
  ["theoremOne", (x) => theoremOne(x, x, [0, 1]), "features must be a tensor [n, dim]"],
  ["reconstructionLoss", (x) => reconstructionLoss(x, x), "prediction must be a tensor"],
  ["predictInChunks", (x) => predictInChunks(x), ""],
  ["backpropagateInChunks", (x) => backpropagateInChunks(x, x), ""],
  ["chunkedGradient", (x) => chunkedGradient(x, x), ""],
])("%s names an input that is none", async (name, call, message) => {
  for (const given of [undefined, null, 3, "x", {}, [], [[1, 2]], () => {}]) {
    await expect(async () => call(given as never)).rejects.toThrow(`${name}: ${message}`);
  }
});

it("names a type and a shape that do not fit", () => {
  const [ints, row] = [tf.ones([2, 2], "int32"), tf.ones([3])];
  expect(() => featureScatter(ints, [0, 1])).toThrow("featureScatter: features must be float32, got int32");
  expect(() => featureScatter(row, [0, 1])).toThrow("featureScatter: features must be [n, dim], got [3]");
  const predictions = { conditions: row, conditionOf: [0, 1], predict: () => row, chunk: 1 };
  expect(() => predictInChunks(predictions as never)).toThrow(
    "predictInChunks: conditionOf must be an Int32Array, got an array of 2",
  );
  tf.dispose([ints, row]);
});
