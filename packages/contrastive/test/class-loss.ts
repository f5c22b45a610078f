import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import type { ClassLossOptions } from "../src/proxies/class-weights.js";
import { checkLossProperties } from "../src/testing/check-loss-properties.js";

/** A loss of class weights with its other options at their defaults. */
type ClassLoss = (embeddings: tf.Tensor, labels: number[], options: ClassLossOptions<"mean">) => tf.Tensor;

/**
 * Declares the tests that every loss of class weights passes: the properties of a loss of normalised rows, and what it refuses.
 *
 * @param weightShape of three classes in four dimensions
 */
export function describeClassLoss(name: string, loss: ClassLoss, weightShape: number[]): void {
  it("has the properties of a loss of normalised rows", async () => {
    const x = tf.tensor2d(normalArray(1, 28), [7, 4]);
    const weights: tf.Tensor = tf.tensor(normalArray(2, tf.util.sizeFromShape(weightShape)), weightShape);
    await checkLossProperties(([rows], labels) => loss(rows, Array.from(labels), { weights }), {
      inputs: [x],
      labels: [0, 1, 0, 1, 2, 1, 1],
      scaleInvariant: true,
    });
    tf.dispose([x, weights]);
  });

  it("takes a Parameter's and a tf.layers weight's tensor, and differentiates by it", () => {
    tf.tidy(() => {
      const x = tf.tensor2d(normalArray(1, 28), [7, 4]);
      const weights: tf.Variable = tf.variable(
        tf.tensor(normalArray(2, tf.util.sizeFromShape(weightShape)), weightShape),
      );
      const labels = [0, 1, 0, 1, 2, 1, 1];
      const gradientOf = (given: ClassLossOptions["weights"]) => {
        const { value, grads } = tf.variableGrads(
          () => loss(x, labels, { weights: given }) as tf.Scalar,
          [weights],
        );
        return [value, ...Object.values(grads)].map((tensor) => Array.from(tensor.dataSync()));
      };
      const expected = gradientOf(weights);
      expect(expected).toHaveLength(2);
      expect(gradientOf({ value: weights })).toEqual(expected);
      expect(gradientOf({ val: weights })).toEqual(expected);
      weights.dispose();
    });
  });

  it("refuses weights and labels that do not fit, and unknown options", () => {
    tf.tidy(() => {
      const x = tf.ones([2, 4]);
      const weights: tf.Tensor = tf.ones(weightShape);
      const refuses = (labels: number[], options: object, message: string) =>
        expect(() => loss(x, labels, { weights, ...options })).toThrow(`${name}: ${message}`);
      refuses([0, 3], {}, "labels[1] must be an integer, at least 0 and at most 2, got 3");
      refuses([0, -1], {}, "labels[1] must be an integer");
      refuses([0], {}, "labels must hold 2 numbers");
      const others = weightShape.slice(1, -1);
      for (const wrong of [
        [3, ...others, 5],
        [1, ...others, 4],
        [3, ...others, 1, 4],
      ]) {
        refuses([0, 0], { weights: tf.ones(wrong) }, "weights must be");
      }
      refuses([0, 1], { weights: [[1, 0, 0, 0]] }, "weights must be a tensor");
      refuses([0, 1], { scales: 2 }, 'unknown option "scales"');
    });
  });
}
