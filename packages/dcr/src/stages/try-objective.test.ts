import { initialize } from "@dcr-js/tensor";
import { expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, it } from "vitest";
import { featureObjective } from "../objectives/feature-objective.js";
import type { Objective } from "../objectives/objective.js";
import { objectives } from "../objectives/objectives.js";
import { predictionObjective } from "../objectives/prediction-objective.js";
import { tryObjective } from "./try-objective.js";

const sizes = { batchSize: 3, featureSize: 6, conditionSize: 5, latents: [4, 4, 2] as const };

beforeAll(async () => {
  await initialize({ device: "cpu" });
});

it("runs every objective of ours, on the shapes that a stage gives it", async () => {
  await expectNoLeaks(async () => {
    expect(await tryObjective(objectives.dcr({ temperature: "auto" }), sizes)).toEqual([
      "dcrAugmented",
      "dcrTarget",
    ]);
    expect(await tryObjective(objectives.naive(), sizes)).toEqual(["con", "rec"]);
    const shapes: unknown[] = [];
    const looks = predictionObjective(
      "looks",
      ({ predictions, augmented, target }) => {
        shapes.push(predictions.shape, augmented!.shape, target.shape);
        return tf.mean(predictions);
      },
      { pairs: "all", usesAugmented: true },
    );
    expect(await tryObjective(looks, sizes)).toEqual(["looks"]);
    expect(shapes.slice(0, 3)).toEqual([
      [3, 3, 4, 4, 2],
      [3, 4, 4, 2],
      [3, 4, 4, 2],
    ]);
  });
});

it("passes on what an objective throws, and names what it should not return", async () => {
  const plain = featureObjective("mine", (z) => tf.mean(z));
  const refused: [Objective, string][] = [
    [
      featureObjective("typo", (z) => tf.mean((z as unknown as { shap: number[] }).shap as never)),
      "Argument 'x' passed to 'mean' must be a Tensor",
    ],
    [
      featureObjective("rows", (z) => tf.mean(z, 1)),
      "objective rows: the loss must be a scalar tensor, got shape [3]",
    ],
    [{ ...plain, terms: () => [] }, "objective mine: terms must return an array of one loss or more"],
    [
      { ...plain, remember: () => [Number.NaN] },
      "objective mine: memory must be an array of finite numbers, got NaN",
    ],
  ];
  await expectNoLeaks(async () => {
    for (const [objective, message] of refused) {
      await expect(tryObjective(objective, sizes)).rejects.toThrow(message);
    }
  });
});
