import "@tensorflow/tfjs-backend-cpu";
import { expectClose, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, expect, it } from "vitest";
import { infoNCE } from "../losses/info-nce.js";
import { multiSimilarity } from "../losses/multi-similarity.js";
import { rankedList } from "../losses/ranked-list.js";
import { tripletLoss } from "../losses/triplet-loss.js";
import { batchHard } from "../miners/batch-easy-hard.js";
import { batched } from "./batched.js";
import { cosineDistance } from "./cosine-distance.js";
import { cosineSimilarity } from "./cosine-similarity.js";
import { compare, type Distance } from "./distance.js";
import { dotSimilarity } from "./dot-similarity.js";
import { euclideanDistance, lpDistance } from "./lp-distance.js";
import { snrDistance } from "./snr-distance.js";

const x = tf.tensor2d(normalArray(1, 24), [6, 4]);
const labels = [0, 0, 1, 1, 2, 2];
afterAll(() => x.dispose());

// pytorch-metric-learning turns a loss round for a similarity (`is_inverted`); to minimize one as a distance would draw rows apart.
it.each([
  ["cosineSimilarity", cosineSimilarity],
  ["dotSimilarity", dotSimilarity],
  ["batched", batched(cosineSimilarity, { rows: 2 })],
])("%s is refused as a distance", async (_, distance) => {
  const message = "distance must be a distance (smaller is closer), got a similarity (greater is closer)";
  expect(() => tripletLoss(x, labels, { distance })).toThrow(`tripletLoss: ${message}`);
  expect(() => rankedList(x, labels, { distance })).toThrow(`rankedList: ${message}`);
  await expect(batchHard(x, labels, { distance })).rejects.toThrow(`batchHard: ${message}`);
});

it.each([
  ["cosineDistance", cosineDistance],
  ["euclideanDistance", euclideanDistance],
  ["lpDistance", lpDistance({ p: 1 })],
  ["snrDistance", snrDistance],
  ["batched", batched(lpDistance(), { rows: 2 })],
])("%s is refused as a similarity", (_, similarity) => {
  const message = "similarity must be a similarity (greater is closer), got a distance (smaller is closer)";
  expect(() => multiSimilarity(x, labels, { similarity })).toThrow(`multiSimilarity: ${message}`);
  expect(() => infoNCE(x, x, { similarity })).toThrow(`infoNCE: ${message}`);
});

it("takes a user's function as what it is given for, and checks its shape", () => {
  tf.tidy(() => {
    const negated: Distance = (a, b) => tf.neg(cosineSimilarity(a, b)) as tf.Tensor2D;
    expectClose(compare(x, x, { caller: "loss", distance: negated }), tf.neg(cosineSimilarity(x, x)), {
      absolute: 0,
    });
    expect(() => compare(x, x, { caller: "loss", distance: (a) => a })).toThrow(
      "loss: distance must return [6, 6], got [6,4]",
    );
    expect(() => compare(x, x, { caller: "loss", similarity: (() => 1) as never })).toThrow(
      "loss: similarity must return [6, 6], got 1",
    );
  });
});
