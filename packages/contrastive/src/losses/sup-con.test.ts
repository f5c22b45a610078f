import "@tensorflow/tfjs-backend-cpu";
import { expectClose, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { expectGolden, golden } from "../../test/golden.js";
import { expectPyTorch, pytorch, temperatures } from "../../test/pytorch.js";
import { checkLossProperties } from "../testing/check-loss-properties.js";
import { supCon } from "./sup-con.js";

it("equals pytorch-metric-learning's SupConLoss", () =>
  expectGolden("supCon", (x) => supCon(x, golden.labels)));

for (const formulation of ["out", "in", "mil-nce"] as const) {
  it.each(temperatures)(`equals PyTorch's ${formulation} at $temperature`, ({ temperature, relative }) =>
    expectPyTorch(
      `supCon ${formulation} ${temperature}`,
      "ab",
      (a, b) => supCon(tf.concat([a, b]), pytorch.labels, { formulation, temperature, reduction: "none" }),
      { relative },
    ),
  );
}

it("has the properties of a loss, at a temperature of 0.01 too", async () => {
  const inputs = [tf.tensor2d(normalArray(1, 20), [5, 4])];
  for (const temperature of [0.1, 0.01]) {
    await checkLossProperties(([a], labels) => supCon(a, labels, { temperature }), {
      inputs,
      labels: [0, 1, 0, 1, 0],
      scaleInvariant: true,
    });
  }
  tf.dispose(inputs);
});

it("leaves anchors without positives out, or counts them as 0, where it is told to", () => {
  tf.tidy(() => {
    const x = tf.tensor2d(normalArray(1, 12), [3, 4]);
    const labels = [0, 0, 1];
    const losses = supCon(x, labels, { withoutPositives: "zero", reduction: "none" }).dataSync();
    expect(losses[2]).toBe(0);
    expectClose(supCon(x, labels, { withoutPositives: "skip", reduction: "none" }), losses.slice(0, 2), {});
    expectClose(supCon(x, labels, { withoutPositives: "skip" }), [(losses[0] + losses[1]) / 2], {
      relative: 1e-6,
    });
    expect(() => supCon(x, labels)).toThrow('anchor 2 has no positive; withoutPositives "skip" or "zero"');
  });
});

it("weights samples and leaves false negatives out", () => {
  tf.tidy(() => {
    const x = tf.tensor2d(normalArray(2, 16), [4, 4]);
    const labels = [0, 0, 1, 1];
    const plain = supCon(x, labels, { reduction: "none" }).dataSync();
    const weighted = supCon(x, labels, { weights: [0, 1, 2, 0.5], reduction: "none" });
    expectClose(weighted, [0, plain[1], 2 * plain[2], 0.5 * plain[3]], { relative: 1e-6 });
    const excluded = new Uint8Array(16);
    excluded[3] = 1;
    const without = supCon(x, labels, { excluded, reduction: "none" }).dataSync();
    expect(without[0]).toBeLessThan(plain[0]);
    expectClose(without.slice(1), plain.slice(1), { relative: 1e-6 });
    expect(() => supCon(x, labels, { weights: [1, 2] })).toThrow("weights must hold 4 numbers");
    expect(() => supCon(x, labels, { excluded: [1] })).toThrow(
      "excluded must have 4 x 4 = 16 entries, one for each anchor and candidate, got 1",
    );
  });
});
