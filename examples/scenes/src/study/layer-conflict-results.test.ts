import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Projector } from "@dcr-js/dcr";
import { initialize, Random, writeSafetensors } from "@dcr-js/tensor";
import { expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { exampleFolder } from "./cells.js";
import { conflictOf, timesteps } from "./layer-conflict-results.js";

it("gives a cosine for each batch in each layer at each timestep, the same each time", async () => {
  await initialize({ device: "wasm" });
  const folder = await mkdtemp(join(tmpdir(), "scenes-conflict-"));
  const models = {
    encoder: join(exampleFolder, "models/set-0/clip"),
    diffusion: join(exampleFolder, "models/set-0/diffusion"),
    projector: join(folder, "projector.safetensors"),
    seed: 3,
  };
  try {
    // Of the sizes of these models' features and conditions.
    const projector = new Projector(64, 64).initialize(new Random(1));
    const weights = projector.stateDict();
    await writeSafetensors(models.projector, weights);
    tf.dispose(weights as tf.NamedTensorMap);
    projector.dispose();
    // The pool of training scenes is drawn once and holds no tensor.
    await expectNoLeaks(async () => {
      const first = await conflictOf(models, { batches: 1, timesteps: timesteps.slice(1, 2) });
      expect(Object.keys(first.weights)).toEqual([
        "embeddings",
        "layer 1",
        "layer 2",
        "layer 3",
        "projection",
      ]);
      // One layer of width 64: attention 4 (64^2 + 64), MLP 2 * 64 * 256 + 256 + 64, two norms of 2 * 64.
      expect(first.weights["layer 2"]).toBe(4 * (64 ** 2 + 64) + 2 * 64 * 256 + 256 + 64 + 2 * 2 * 64);
      expect(first.weights["projection"]).toBe(64 * 64);
      const cosines = Object.values(first.cosines).map((byTimestep) => byTimestep[300]);
      for (const own of cosines) {
        expect(own).toHaveLength(1);
        expect(Math.abs(own[0])).toBeGreaterThan(0);
        expect(Math.abs(own[0])).toBeLessThanOrEqual(1);
      }
      expect(new Set(cosines.flat()).size).toBe(cosines.length);
      expect(await conflictOf(models, { batches: 1, timesteps: timesteps.slice(1, 2) })).toEqual(first);
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});
