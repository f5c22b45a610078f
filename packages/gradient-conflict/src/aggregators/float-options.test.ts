import { initialize } from "@dcr-js/tensor";
import { expectClose } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, it } from "vitest";
import {
  alignedMTL,
  cagrad,
  combineGradients,
  dualProj,
  dwa,
  ExcessMTL,
  fairGrad,
  famo,
  gradDrop,
  gradientCurvature,
  gradNorm,
  imtlL,
  nashMTL,
  sdmGrad,
  stch,
  uncertaintyWeighting,
  upgrad,
  weightedSum,
} from "../index.js";

beforeAll(() => initialize({ device: "cpu" }));

const gram = [1, 0, 0, 1];
const context = { losses: [1, 2] };

it("numbers that are infinite or 0 as float32 are refused, by name", () => {
  const calls: Record<string, (value: number) => unknown> = {
    "alignedMTL: preference[1]": (x) => alignedMTL({ preference: [1, x] }).weigh(gram),
    "cagrad: c": (x) => cagrad({ c: x }),
    "dualProj: regularization": (x) => dualProj({ regularization: x }),
    "dwa: temperature": (x) => dwa({ temperature: x }),
    "ExcessMTL: robustStepSize": (x) => new ExcessMTL({ robustStepSize: x }),
    "fairGrad: alpha": (x) => fairGrad({ alpha: x }),
    "famo: learningRate": (x) => famo({ learningRate: x }),
    "famo: weightDecay": (x) => famo({ weightDecay: x }),
    "famo: minLosses[0]": (x) => famo({ minLosses: [x, 0] }),
    "gradNorm: alpha": (x) => gradNorm({ alpha: x }),
    "gradNorm: learningRate": (x) => gradNorm({ learningRate: x }),
    "imtlL: learningRate": (x) => imtlL({ learningRate: x }),
    "nashMTL: maxNorm": (x) => nashMTL({ maxNorm: x }),
    "sdmGrad: learningRate": (x) => sdmGrad({ learningRate: x }),
    "sdmGrad: lambda": (x) => sdmGrad({ lambda: x }),
    "stch: mu": (x) => stch({ mu: x }),
    "stch: ideal[1]": (x) => stch({ ideal: [0, x] }),
    "uncertaintyWeighting: learningRate": (x) => uncertaintyWeighting({ learningRate: x }),
    "upgrad: regularization": (x) => upgrad({ regularization: x }),
    "weightedSum: weights[1]": (x) => weightedSum([1, x]),
  };
  for (const [name, call] of Object.entries(calls)) {
    for (const value of [1e300, 1e-300]) {
      expect(() => call(value)).toThrow(
        `${name} must be a float32, 0 or 1.2e-38 to 3.4e38 in size, got ${value}`,
      );
    }
  }
  expect(() => gradDrop({ leak: [0, 1e-300] })).toThrow("gradDrop: leak[1] must be a float32");
});

it("the radius of a curvature is refused too", async () => {
  const x = tf.variable(tf.scalar(2));
  const options = { losses: { square: () => tf.square(x) as tf.Scalar }, variables: { x } };
  await expect(gradientCurvature({ ...options, radius: 1e-300 })).rejects.toThrow(
    "gradientCurvature: radius must be a float32",
  );
  x.dispose();
});

it("weights within float32 give finite directions", () => {
  for (const aggregator of [weightedSum([3e38, 1e-37]), stch({ mu: 1e-37 }), cagrad({ c: 3e38 })]) {
    expect(aggregator.weigh(gram, context).weights.every(Number.isFinite), aggregator.name).toBe(true);
  }
});

it("a weight of any size that its product allows is multiplied in parts", () => {
  tf.tidy(() => {
    const gradient = tf.tensor1d([1e-37, -2e-37, 0]);
    expectClose(combineGradients([[gradient]], [1e70])[0], [1e33, -2e33, 0], { relative: 1e-5 });
    expectClose(combineGradients([[tf.tensor1d([2e38, 0])]], [-1e-72])[0], [-2e-34, 0], { relative: 1e-5 });
    // Beyond float32 it is infinite, and 0 stays 0.
    const [infinite, zero] = combineGradients([[tf.tensor1d([1, 0])]], [1e200])[0].dataSync();
    expect([infinite, zero]).toEqual([Number.POSITIVE_INFINITY, 0]);
  });
});
