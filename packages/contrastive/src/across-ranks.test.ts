import "@tensorflow/tfjs-backend-cpu";
import { expectClose, expectNoLeaks, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import "./shared/register-gradients.js";
import { lossAcrossRanks, type Ranks } from "./across-ranks.js";
import { learnedTemperature } from "./learned-temperature.js";
import { clipLoss } from "./losses/clip.js";
import { sigLipLoss } from "./losses/siglip.js";

/** Two ranks in one process, whose gathers wait for one another. */
function twoRanks(): Ranks[] {
  const calls: { tensor: tf.Tensor; resolve: (all: tf.Tensor) => void }[][] = [[], []];
  return [0, 1].map((rank) => ({
    rank,
    size: 2,
    allReduce: () => Promise.reject(new Error("not used")),
    allGather: (tensor) =>
      new Promise((resolve) => {
        calls[rank].push({ tensor, resolve });
        const at = calls[rank].length - 1;
        const [a, b] = [calls[0][at], calls[1][at]];
        if (a && b) for (const call of [a, b]) call.resolve(tf.concat([a.tensor, b.tensor]));
      }),
  }));
}

it("equals one process with the whole batch, in value and gradient", async () => {
  const [images, texts] = [1, 2].map((seed) => tf.tensor2d(normalArray(seed, 24), [6, 4]));
  const loss = (x: tf.Tensor2D, y: tf.Tensor2D) => clipLoss(x, y, 10);
  const whole = tf.valueAndGrads((x, y) => loss(x as tf.Tensor2D, y as tf.Tensor2D))([images, texts]);
  const before = tf.memory().numTensors;
  const results = await Promise.all(
    twoRanks().map((ranks) => {
      const own = [images, texts].map((x) => tf.slice(x, ranks.rank * 3, 3));
      return lossAcrossRanks(own, loss, ranks).finally(() => tf.dispose(own));
    }),
  );
  for (const [rank, { value, gradients }] of results.entries()) {
    expectClose(value, whole.value, { relative: 1e-6 });
    for (const [i, gradient] of gradients.entries()) {
      expectClose(gradient, tf.slice(whole.grads[i], rank * 3, 3), { relative: 1e-5, absolute: 1e-7 });
    }
    tf.dispose([value, gradients]);
  }
  expect(tf.memory().numTensors - before).toBe(4);
  tf.disposeVariables();
});

it("refuses a gather of other sizes and what is no matrix, and frees what it gathered", async () => {
  const x = tf.ones([3, 2]);
  const ranks: Ranks = {
    rank: 0,
    size: 2,
    allReduce: () => Promise.reject(new Error("not used")),
    allGather: () => Promise.resolve(tf.ones([5, 2])),
  };
  const before = tf.memory().numTensors;
  const loss = (all: tf.Tensor2D) => tf.sum(all) as tf.Scalar;
  await expect(lossAcrossRanks([x], loss, ranks)).rejects.toThrow("lossAcrossRanks: features[0]");
  const scalar = tf.scalar(1);
  await expect(lossAcrossRanks([scalar], loss, ranks)).rejects.toThrow("lossAcrossRanks: features[0]");
  scalar.dispose();
  expect(tf.memory().numTensors).toBe(before);
  x.dispose();
});

it("takes integers as float32, and leaves no tensor behind", async () => {
  const rows = tf.tensor2d([1, 2, 3, 4], [2, 2], "int32");
  const alone: Ranks = {
    rank: 0,
    size: 1,
    allReduce: () => Promise.reject(new Error("not used")),
    allGather: (tensor) => Promise.resolve(tf.clone(tensor)),
  };
  await expectNoLeaks(async () => {
    const loss = (x: tf.Tensor2D) => tf.sum(tf.square(x)) as tf.Scalar;
    const { value, gradients } = await lossAcrossRanks([rows], loss, alone);
    expectClose(value, [30], {});
    expectClose(gradients[0], [2, 4, 6, 8], {});
    tf.dispose([value, gradients]);
    await expect(lossAcrossRanks([rows], loss, { ...alone, size: 2 })).rejects.toThrow(
      "features[0] must have as many rows on each of 2 ranks",
    );
  });
  rows.dispose();
});

it("gives the gradients of the loss's own variables, equal to one process's on every rank", async () => {
  const [images, texts] = [1, 2].map((seed) => tf.tensor2d(normalArray(seed, 24), [6, 4]));
  const temperature = learnedTemperature();
  const bias = tf.tidy(() => tf.variable(tf.scalar(-3)));
  const loss = (x: tf.Tensor, y: tf.Tensor) =>
    tf.add(clipLoss(x, y, temperature.scale()), sigLipLoss(x, y, temperature.scale(), bias)) as tf.Scalar;
  const own = [temperature.logScale as tf.Variable, bias];
  const { value, grads } = tf.variableGrads(() => loss(images, texts), own);
  await expectNoLeaks(async () => {
    const results = await Promise.all(
      twoRanks().map((ranks) => {
        const rows = [images, texts].map((x) => tf.slice(x, ranks.rank * 3, 3));
        const variables = [temperature.logScale, { value: bias }];
        return lossAcrossRanks(rows, loss, ranks, { variables }).finally(() => tf.dispose(rows));
      }),
    );
    for (const { variableGradients, ...others } of results) {
      expect(variableGradients).toHaveLength(2);
      for (const [i, variable] of own.entries()) {
        expectClose(variableGradients[i], grads[variable.name], { relative: 1e-5 });
      }
      tf.dispose([variableGradients, others.value, others.gradients]);
    }
  });
  tf.dispose([images, texts, bias, value, grads]);
  temperature.dispose();
});

it("names a variable that the loss does not read, and frees what was gathered where a gather fails", async () => {
  const rows = tf.ones([2, 2]);
  const variable = tf.tidy(() => tf.variable(tf.scalar(1)));
  const alone = (gathers: (() => Promise<tf.Tensor>)[]): Ranks => ({
    rank: 0,
    size: 1,
    allReduce: () => Promise.reject(new Error("not used")),
    allGather: () => gathers.shift()!(),
  });
  const fine = async () => tf.clone(rows);
  const sum = (...all: tf.Tensor2D[]) => tf.sum(tf.addN(all)) as tf.Scalar;
  await expectNoLeaks(async () => {
    await expect(lossAcrossRanks([rows], sum, alone([fine]), { variables: [variable] })).rejects.toThrow(
      "lossAcrossRanks: the loss does not depend on variables[0]",
    );
    await expect(
      lossAcrossRanks([rows, rows], (x) => tf.sum(x) as tf.Scalar, alone([fine, fine])),
    ).rejects.toThrow("lossAcrossRanks: the loss does not depend on features[1]");
    await expect(lossAcrossRanks([rows], sum, alone([]), { variables: [3 as never] })).rejects.toThrow(
      "lossAcrossRanks: variables[0] must be a tf.Variable",
    );
    await expect(lossAcrossRanks([rows], ((x: tf.Tensor) => x) as never, alone([fine]))).rejects.toThrow(
      "lossAcrossRanks: loss must return a scalar, got shape [2,2]",
    );
    const refused: [unknown[], string][] = [
      [[sum, undefined], "ranks must join processes, as a Communicator does, got undefined"],
      [[sum, { rank: 0, size: 2 }], "ranks must join processes, as a Communicator does, got a Object"],
      [[sum, { ...alone([]), rank: 1 }], "ranks.rank must be an integer, at least 0 and at most 0, got 1"],
      [[sum, { ...alone([]), size: 0 }], "ranks.size must be an integer, at least 1, got 0"],
      [[undefined, alone([])], "loss must be a function, got undefined"],
    ];
    for (const [[loss, ranks], message] of refused) {
      await expect(lossAcrossRanks([rows], loss as never, ranks as never)).rejects.toThrow(
        `lossAcrossRanks: ${message}`,
      );
    }
    const late = () => new Promise<tf.Tensor>((resolve) => setTimeout(() => resolve(tf.clone(rows)), 5));
    const broken = () => Promise.reject(new Error("rank 1 is gone"));
    await expect(lossAcrossRanks([rows, rows, rows], sum, alone([fine, broken, late]))).rejects.toThrow(
      "rank 1 is gone",
    );
  });
  tf.dispose([rows, variable]);
});
