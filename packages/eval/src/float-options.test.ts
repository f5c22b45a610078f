import "@tensorflow/tfjs-backend-cpu";
import { expect, it } from "vitest";
import {
  fitKMeans,
  logisticRegression,
  nearestNeighbourAccuracy,
  projectTSNE,
  projectUMAP,
  vMeasure,
  wilsonInterval,
} from "./index.js";
import { waitBefore } from "./language-models/chat-completion.js";
import { askQuestions } from "./language-models/index.js";

const rows = [
  [0, 1],
  [1, 0],
  [1, 1],
  [0, 2],
  [2, 1],
];
const labels = [0, 1, 0, 1, 1];

it("numbers that are infinite or 0 as float32 are refused, by name", async () => {
  const calls: Record<string, (value: number) => Promise<unknown>> = {
    "fitKMeans: tolerance": (x) => fitKMeans(rows, { clusters: 2, tolerance: x }),
    "logisticRegression: C": (x) => logisticRegression(rows, labels, { C: x }),
    "logisticRegression: tolerance": (x) => logisticRegression(rows, labels, { tolerance: x }),
    "nearestNeighbourAccuracy: temperature": (x) =>
      nearestNeighbourAccuracy(rows, labels, { weights: "exponential", temperature: x }),
    "projectTSNE: learningRate": (x) => projectTSNE(rows, { learningRate: x }),
    "vMeasure: beta": async (x) => vMeasure(labels, labels, { beta: x }),
    "wilsonInterval: z": async (x) => wilsonInterval(0.5, 10, x),
  };
  for (const [name, call] of Object.entries(calls)) {
    for (const value of [1e300, 1e-300]) {
      await expect(call(value)).rejects.toThrow(
        `${name} must be a float32, 0 or 1.2e-38 to 3.4e38 in size, got ${value}`,
      );
    }
  }
  await expect(projectUMAP(rows, { minDist: 1e-300 })).rejects.toThrow(
    "projectUMAP: minDist must be a float32",
  );
  await expect(projectTSNE(rows, { perplexity: 1e-300 })).rejects.toThrow(
    "projectTSNE: perplexity must be a float32",
  );
});

it("waits beyond a timer's reach, which would end at once, are refused", async () => {
  const ask = (options: object) =>
    askQuestions([], { endpoint: "http://localhost:1/v1", model: "m", ...options });
  await expect(ask({ timeout: 2 ** 31 })).rejects.toThrow("askQuestions: timeout must be");
  await expect(ask({ retryDelay: 2 ** 31 })).rejects.toThrow("askQuestions: retryDelay must be");
  // Doubled 40 times a delay of a second would be too long for a timer.
  expect([0, 1, 9, 10, 40].map((tried) => waitBefore(tried, 1000))).toEqual([
    1000, 2000, 512_000, 600_000, 600_000,
  ]);
  expect(waitBefore(3, 700_000)).toBe(700_000);
  expect(await ask({ timeout: 2 ** 31 - 1, retryDelay: 2 ** 31 - 1 })).toEqual([]);
});
