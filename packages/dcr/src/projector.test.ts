import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { initialize, Random, readSafetensors, valueAndGradients } from "@dcr-js/tensor";
import { expectCloseNorm } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { Projector } from "./projector.js";

const fixture = fileURLToPath(new URL("../fixtures/projector", import.meta.url));
const tolerance = { relative: 1e-5 };
beforeAll(() => initialize({ device: "cpu" }));

describe("Projector", () => {
  it("gives PyTorch's output and gradients", async () => {
    const golden = await readSafetensors(join(fixture, "golden.safetensors"));
    const projector = new Projector(20, 28);
    const weights = Object.entries(golden).filter(([key]) => key.startsWith("weights."));
    projector.loadStateDict(Object.fromEntries(weights), { prefix: "weights." });
    const before = tf.memory().numTensors;
    const y = projector.forward(golden["x"]!);
    expectCloseNorm(y, golden["y"]!, tolerance);
    const loss = (x: tf.Tensor) => tf.sum(tf.mul(projector.forward(x), golden["cotangent"]!)) as tf.Scalar;
    const { value, gradients } = valueAndGradients(() => loss(golden["x"]!), projector.parameters());
    for (const [index, [name]] of Array.from(projector.namedParameters()).entries()) {
      expectCloseNorm(gradients[index]!, golden[`gradient.${name}`]!, tolerance);
    }
    const ofInput = tf.tidy(() => tf.grad(loss)(golden["x"]!));
    expectCloseNorm(ofInput, golden["gradient.x"]!, tolerance);
    tf.dispose([y, value, ...gradients, ofInput]);
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose(golden);
    projector.dispose();
  });

  it("projects tokens as it projects vectors", () => {
    const projector = new Projector(4, 6).initialize(new Random(0));
    const tokens = new Random(1).normal([2, 3, 4]) as tf.Tensor3D;
    const rows = tf.reshape(tokens, [6, 4]);
    const [ofTokens, ofRows] = [projector.forward(tokens), projector.forward(rows)];
    expect(ofTokens.shape).toEqual([2, 3, 6]);
    expect(ofTokens.dataSync()).toEqual(ofRows.dataSync());
    tf.dispose([tokens, rows, ofTokens, ofRows]);
    projector.dispose();
  });

  it("names wrong sizes", () => {
    expect(() => new Projector(0, 4)).toThrow(/inFeatures must be a positive integer, got 0/);
    const projector = new Projector(4, 6).initialize(new Random(0));
    expect(() => tf.tidy(() => projector.forward(tf.zeros([2, 5])))).toThrow(
      /features must be \[\.\.\., 4\], got \[2,5\]/,
    );
    projector.dispose();
  });
});
