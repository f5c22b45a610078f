import { readFile } from "node:fs/promises";
import { Conv2d, initialize, Module, Random } from "@dcr-js/tensor";
import { expectNoLeaks, uniformArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, it } from "vitest";
import { setting } from "../../test/setting.js";
import { objectives } from "../objectives/objectives.js";
import { Projector } from "../projector.js";
import { createEnhancementStage } from "./enhancement-stage.js";
import type { Stage } from "./stage.js";

beforeAll(() => initialize({ device: "wasm" }));

it("the README's own encoder and own denoiser train", async () => {
  const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
  const [, code] = /### Models of your own\n[\s\S]*?```js\n([\s\S]*?)```/.exec(readme)!;
  const { options, dispose } = setting();
  const [size, batchSize] = [32, 2];
  const images = uniformArray(1, batchSize * size * size * 3, 0, 1);
  const shared = {
    ...options,
    // Image sizes are those of the README's encoder.
    source: {
      ...{ size, batchSize, position: () => ({}), restore() {}, close: async () => {} },
      async *[Symbol.asyncIterator]() {
        for (;;) yield { names: ["a", "b"], size, images, augmented: images };
      },
    },
    latents: {
      ...options.latents,
      encode: async () => {
        const mean = tf.tensor4d(uniformArray(2, batchSize * 64, 0, 1), [batchSize, 4, 4, 4]);
        return { mean, logvar: tf.fill(mean.shape, -1) };
      },
    },
  };
  const names = { Module, Conv2d, Random, Projector, tf, createEnhancementStage, objectives, shared };
  await expectNoLeaks(async () => {
    const run = new Function(...Object.keys(names), `${code}; return { encoder, projector, own };`);
    const { encoder, projector, own } = run(...Object.values(names)) as {
      encoder: Module;
      projector: Module;
      own: Stage;
    };
    const weights = () => encoder.parameters().map(({ value }) => Array.from(value.dataSync()));
    const before = weights();
    const { losses } = await own.step();
    expect(losses["rec"]).toBeGreaterThan(0);
    // Weights and biases alike.
    for (const [i, after] of weights().entries()) expect(after).not.toEqual(before[i]);
    own.dispose();
    for (const module of [encoder, projector]) module.dispose();
  });
  dispose();
});
