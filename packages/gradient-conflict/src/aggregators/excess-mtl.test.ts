import { initialize } from "@dcr-js/tensor";
import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, it } from "vitest";
import { ExcessMTL } from "./excess-mtl.js";

beforeAll(() => initialize({ device: "cpu" }));

it("refuses gradients that do not fit without a change of its state or a leak", async () => {
  const gradients = [
    [tf.tensor1d([3, 4]), tf.scalar(1)],
    [tf.tensor1d([1, 2]), tf.scalar(2)],
  ];
  const [short, broken] = [tf.tensor1d([1]), tf.tensor1d([Number.NaN, 1])];
  const [disturbed, plain] = [new ExcessMTL(), new ExcessMTL()];
  await expectNoLeaks(async () => {
    for (let step = 0; step < 3; step++) {
      const expected = await plain.combine(gradients);
      for (const [wrong, message] of [
        [
          [gradients[0], [short, gradients[1][1]]],
          "tensor 0 must have one shape for all losses, got [2] and, of loss 1, [1]",
        ],
        [
          [gradients[0], [gradients[1][0], short]],
          "tensor 1 must have one shape for all losses, got [] and, of loss 1, [1]",
        ],
        [[gradients[0], [broken, gradients[1][1]]], "the gradient of loss 1 is not finite"],
        [[gradients[0], [gradients[1][0]]], "all of one length, got 2,1"],
        [[], "one list of gradients for each of at least one loss, got an array of 0"],
        ...(step > 0 ? [[[[short], [short]], "as in the step before, [2] [], [2] [], got [1], [1]"]] : []),
      ] as [tf.Tensor[][], string][]) {
        await expect(disturbed.combine(wrong)).rejects.toThrow(message);
      }
      const result = await disturbed.combine(gradients);
      expectClose(result.weights, expected.weights, {});
      tf.dispose([result.gradients, expected.gradients]);
    }
    disturbed.dispose();
    plain.dispose();
  });
  tf.dispose([gradients, short, broken]);
});

it("refuses to go on after it is disposed, with half of its state or while a step runs", async () => {
  const gradients = [[tf.tensor1d([3, 4])], [tf.tensor1d([1, 2])]];
  const excess = new ExcessMTL();
  await expectNoLeaks(async () => {
    tf.dispose((await excess.combine(gradients)).gradients);
    const running = excess.combine(gradients);
    excess.dispose();
    await expect(running).rejects.toThrow("ExcessMTL: it is disposed");
    await expect(excess.combine(gradients)).rejects.toThrow("ExcessMTL: it is disposed; make a new one");
  });
  tf.dispose(gradients);
});
