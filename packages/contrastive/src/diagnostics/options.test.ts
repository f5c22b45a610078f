import "@tensorflow/tfjs-backend-cpu";
import { normalArray } from "@dcr-js/testing";
import { describeOptions } from "@dcr-js/testing/options";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll } from "vitest";
import { learnedTemperature } from "../learned-temperature.js";
import { arcFace } from "../losses/arc-face.js";
import { CrossBatchMemory } from "../memory/cross-batch-memory.js";
import { classLossModule } from "../proxies/class-loss-module.js";
import { threshold } from "../reducers/threshold.js";
import { collapse } from "./collapse-monitor.js";
import { effectiveRank } from "./effective-rank.js";
import { similarityHistogram } from "./similarity-histogram.js";

const x = tf.tensor2d(normalArray(1, 24), [6, 4]);
// Its spread is between 0.1 and 0.5.
const near = tf.tidy(() => tf.add(tf.mul(x, 0.3), 1) as tf.Tensor2D);
const losses = tf.tensor1d([0.5, 1, 2, 3]);
afterAll(() => tf.dispose([x, near, losses]));

describeOptions("collapse", {
  run: async (o: { warnBelow?: number }) => [Number((await collapse(near, o)).collapsed)],
  options: { warnBelow: { default: 0.1, other: 0.5, range: { min: 0, max: 1 } } },
});
describeOptions("effectiveRank", {
  run: async (o: { centered?: boolean }) => (await effectiveRank(x, o)).singularValues,
  options: { centered: { default: false, other: true } },
});
describeOptions("similarityHistogram", {
  run: async (o: { bins?: number }) => (await similarityHistogram(x, [0, 0, 0, 1, 1, 1], o)).positive,
  options: { bins: { default: 20, other: 2, range: { min: 1, integer: true } } },
});
describeOptions("learnedTemperature", {
  run: (o: { initial?: number; min?: number }) => {
    const temperature = learnedTemperature(o);
    const [first, scale] = [temperature.logScale.dataSync()[0], temperature.scale()];
    temperature.logScale.assign(tf.scalar(10));
    const values = [first, scale.dataSync()[0], tf.tidy(() => temperature.scale().dataSync()[0])];
    scale.dispose();
    temperature.dispose();
    return values;
  },
  options: {
    initial: { default: 0.07, other: 0.1, range: { min: 0.01 } },
    min: { default: 0.01, other: 0.02, range: { above: 0 } },
  },
});
describeOptions("CrossBatchMemory", {
  run: (o: { capacity: number; dim: number }) => {
    const memory = new CrossBatchMemory(o);
    tf.tidy(() => memory.push(tf.ones([6, o.dim])));
    const { size } = memory;
    memory.dispose();
    return [size, o.dim];
  },
  given: { capacity: 5, dim: 4 },
  options: {
    capacity: { other: 3, range: { min: 1, integer: true } },
    dim: { other: 3, range: { min: 1, integer: true } },
  },
});
describeOptions("classLossModule", {
  run: (o: { classes: number; dim: number; centers?: number; seed?: number }) => {
    const head = classLossModule(arcFace, o);
    const values = Array.from(head.weights.dataSync());
    head.dispose();
    return values;
  },
  given: { classes: 3, dim: 4 },
  options: {
    classes: { other: 5, range: { min: 2, integer: true } },
    dim: { other: 5, range: { min: 1, integer: true } },
    centers: { other: 2, range: { min: 1, integer: true } },
    seed: { default: 0, other: 1, range: { min: 0, integer: true } },
  },
});
describeOptions("threshold", {
  run: (o: { low?: number; high?: number }) =>
    tf.tidy(() => threshold(o)(losses, { anchor: Int32Array.of(0, 1, 2, 3), count: 4 }).dataSync()),
  given: { low: 0.6, high: 2.5 },
  options: { low: { other: 1, range: {} }, high: { other: 2, range: {} } },
});
