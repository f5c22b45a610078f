import "@tensorflow/tfjs-backend-cpu";
import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import "../shared/register-gradients.js";
import { infoNCE } from "../losses/info-nce.js";
import { checkGradients } from "./index.js";

it("checkGradients passes a right gradient and finds a wrong one", async () => {
  const inputs = [tf.tensor2d(normalArray(1, 12), [3, 4]), tf.tensor2d(normalArray(2, 12), [3, 4])];
  await checkGradients((a, b) => infoNCE(a, b, { temperature: 0.5 }), inputs);
  const wrong = tf.customGrad((x) => ({ value: tf.square(x as tf.Tensor), gradFunc: (dy: tf.Tensor) => dy }));
  await expect(checkGradients((x) => wrong(x), inputs.slice(0, 1))).rejects.toThrow(/gradient of input 0/);
  tf.dispose(inputs);
});
