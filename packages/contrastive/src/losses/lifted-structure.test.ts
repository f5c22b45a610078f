import { expectClose, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { expectGolden, golden } from "../../test/golden.js";
import { lpDistance } from "../distances/lp-distance.js";
import { checkLossProperties } from "../testing/check-loss-properties.js";
import { liftedStructure } from "./lifted-structure.js";

it("equals pytorch-metric-learning", () =>
  expectGolden("liftedStructure", (x) => liftedStructure(x, golden.labels)));

it("has the properties of a loss", async () => {
  const inputs = [tf.tensor2d(normalArray(1, 28), [7, 4])];
  await checkLossProperties(([x], labels) => liftedStructure(x, labels), {
    inputs,
    labels: [0, 1, 0, 1, 0, 1, 1],
    scaleInvariant: true,
  });
  tf.dispose(inputs);
});

it("refuses unknown options", () => {
  tf.tidy(() => {
    expect(() => liftedStructure(tf.ones([4, 3]), [0, 0, 1, 1], { temperatures: 1 } as never)).toThrow(
      'liftedStructure: unknown option "temperatures"',
    );
  });
});

it("sums over the negatives of both rows, each as often as it is given", () => {
  // Distances of points on a line; a row of the reference may be its own anchor's partner by number.
  const at = [0, 1, 3, 4.5];
  const others = [0, 1, 3, 4.5, 7];
  const positive = { anchor: Int32Array.of(0, 0, 1, 2, 3), other: Int32Array.of(1, 4, 0, 2, 2) };
  const negative = { anchor: Int32Array.of(0, 0, 0, 1, 1), other: Int32Array.of(2, 3, 3, 3, 4) };
  const expected = Array.from(positive.anchor, (row, i) => {
    const partner = positive.other[i];
    let sum = 0;
    for (const [k, anchor] of negative.anchor.entries()) {
      if (anchor === row || anchor === partner)
        sum += Math.exp(2 - Math.abs(at[anchor] - others[negative.other[k]]));
    }
    return 0.5 * Math.max(0, (sum > 0 ? Math.log(sum) : 0) + Math.abs(at[row] - others[partner])) ** 2;
  });
  tf.tidy(() => {
    const column = (list: number[]) => tf.tensor2d(list, [list.length, 1]);
    const options = {
      pairs: { positive, negative },
      reference: { embeddings: column(others), labels: [0, 0, 1, 1, 0] },
      distance: lpDistance({ normalize: false }),
      negMargin: 2,
      reduction: "none" as const,
    };
    const losses = liftedStructure(column(at), [0, 0, 1, 1], options);
    expectClose(losses, expected, { relative: 1e-5, absolute: 1e-6 });
  });
});
