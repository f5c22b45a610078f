import { AdamW, Parameter } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import type { Case } from "../case.js";

const [count, side] = [10, 1000];

/** A matrix of values that no two of its neighbours share. */
const matrix = (seed: number) =>
  tf.tensor(
    Float32Array.from({ length: side * side }, (_, i) => ((i * 37 + seed * 101) % 211) / 211 - 0.5),
    [side, side],
  );

export const optimizerCases: Case[] = [
  {
    name: "AdamW, 10 M parameters",
    prepare: () => {
      const parameters = Array.from({ length: count }, (_, i) => {
        const parameter = new Parameter([side, side]);
        tf.tidy(() => parameter.assign(matrix(i)));
        return parameter;
      });
      const gradients = parameters.map((_, i) => matrix(count + i));
      // A rate at which a wrong step would show in the parameters.
      const optimizer = new AdamW(parameters, { learningRate: 0.1 });
      return {
        run: () => {
          optimizer.step(gradients);
          return parameters.map(({ value }) => tf.clone(value as tf.Tensor));
        },
        dispose: () => {
          optimizer.dispose();
          for (const parameter of parameters) parameter.dispose();
          tf.dispose(gradients);
        },
      };
    },
  },
];
