import { readFileSync } from "node:fs";
import { initialize } from "@dcr-js/tensor";
import { expectClose, expectCloseNorm, expectNoLeaks, recordParity, relativeError } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, it } from "vitest";
import { gradDrop } from "./grad-drop.js";

beforeAll(() => initialize({ device: "cpu" }));

interface Drawn {
  leak: number[] | null;
  below: number[];
  above: number[];
}

/** TorchJD's gradients for the two draws of each element, made by tools/reference/grad_drop.py. */
const golden = JSON.parse(
  readFileSync(new URL("../../fixtures/grad-drop.json", import.meta.url), "utf8"),
) as { jacobian: number[][]; shares: number[]; plain: Drawn; leaking: Drawn };

it.each(["plain", "leaking"] as const)(
  "gives each element one of TorchJD's two values, as often: %s",
  async (name) => {
    const { leak, below, above } = golden[name];
    const aggregator = gradDrop({ seed: 3, ...(leak && { leak }) });
    const draws = 400;
    const positive = below.map(() => 0);
    await expectNoLeaks(() => {
      const gradients = golden.jacobian.map((row) => [tf.tensor1d(row)]);
      for (let step = 0; step < draws; step++) {
        const [result] = aggregator.combine(gradients, { step });
        const values = result.dataSync();
        const isBelow = below.map(
          (value, i) => Math.abs(values[i] - value) <= Math.abs(values[i] - above[i]),
        );
        const expected = below.map((value, i) => (isBelow[i] ? value : above[i]));
        expectCloseNorm(values, expected, { relative: 1e-6 });
        recordParity({ name: "gradDrop", peer: "TorchJD, by draw", value: relativeError(values, expected) });
        for (const [i, is] of isBelow.entries()) positive[i] += Number(is);
        result.dispose();
      }
      tf.dispose(gradients);
    });
    for (const [i, count] of positive.entries()) {
      const share = golden.shares[i];
      // Where all gradients agree, both draws give the same.
      if (below[i] === above[i]) continue;
      // Four standard deviations.
      expect(Math.abs(count / draws - share)).toBeLessThan(4 * Math.sqrt((share * (1 - share)) / draws));
    }
  },
);

it("keeps agreeing elements whole, drops one sign elsewhere, and draws by seed and step", () => {
  const gradients = [[tf.tensor1d([1, 2, -3, 0])], [tf.tensor1d([3, -2, -1, 0])]];
  const draw = (step: number) => {
    const [result] = gradDrop({ seed: 4 }).combine(gradients, { step });
    const values = Array.from(result.dataSync());
    result.dispose();
    return values;
  };
  const draws = Array.from({ length: 200 }, (_, step) => draw(step));
  for (const [a, b, c, d] of draws) {
    expect([a, c, d]).toEqual([4, -4, 0]);
    expect([2, -2]).toContain(b);
  }
  // Both signs are as likely; three standard deviations of 200 draws are 21.
  expect(Math.abs(draws.filter(([, b]) => b > 0).length - 100)).toBeLessThan(22);
  expect(draw(7)).toEqual(draws[7]);
  const [leaked] = gradDrop({ leak: [1, 1] }).combine(gradients);
  expectClose(leaked, [4, 0, -4, 0], {});
  tf.dispose([leaked, gradients]);
});
