import "@tensorflow/tfjs-backend-cpu";
import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { it } from "vitest";
import { expectPyTorch, temperatures } from "../../test/pytorch.js";
import { checkLossProperties } from "../testing/check-loss-properties.js";
import { ntXent } from "./nt-xent.js";

it.each(temperatures)("equals PyTorch's cross entropy at $temperature", ({ temperature, relative }) =>
  expectPyTorch(`ntXent ${temperature}`, "ab", (a, b) => ntXent(a, b, { temperature, reduction: "none" }), {
    relative,
  }),
);

it("has the properties of a loss, at a temperature of 0.01 too", async () => {
  const inputs = [1, 2].map((seed) => tf.tensor2d(normalArray(seed, 20), [5, 4]));
  for (const temperature of [0.1, 0.01]) {
    await checkLossProperties(([a, b]) => ntXent(a, b, { temperature }), { inputs, scaleInvariant: true });
  }
  tf.dispose(inputs);
});
