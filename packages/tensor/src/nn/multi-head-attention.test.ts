import { checkGradients, expectClose, expectNoLeaks, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { testBackends } from "../../test/test-backends.js";
import { valueAndGradients } from "../optim/value-and-gradients.js";
import { Random } from "../random.js";
import { MultiHeadAttention } from "./multi-head-attention.js";

const normal = (seed: number, shape: [number, number, number]) =>
  tf.tensor3d(normalArray(seed, tf.util.sizeFromShape(shape)), shape);

/** The equations of Vaswani et al. 2017, section 3.2, one number after the other. */
async function byLoops(
  attention: MultiHeadAttention,
  x: tf.Tensor3D,
  context: tf.Tensor3D,
  causal: boolean,
): Promise<number[]> {
  const { q_proj, k_proj, v_proj, out_proj, heads } = attention;
  const project = async (layer: MultiHeadAttention["q_proj"], rows: number[][]) => {
    const [weight, bias] = [await layer.weight.value.array(), await layer.bias!.value.array()];
    return rows.map((row) =>
      (weight as number[][]).map((w, o) => row.reduce((sum, v, i) => sum + v * w[i], (bias as number[])[o])),
    );
  };
  const [inputs, contexts] = [await x.array(), await context.array()];
  const out: number[] = [];
  for (const [b, tokens] of inputs.entries()) {
    const others = contexts[contexts.length === 1 ? 0 : b];
    const [q, k, v] = [
      await project(q_proj, tokens),
      await project(k_proj, others),
      await project(v_proj, others),
    ];
    const depth = q[0].length / heads;
    const attended = q.map((row, i) =>
      row.map((_, c) => {
        const first = Math.floor(c / depth) * depth;
        const weights = k.map((key, j) => {
          if (causal && j > i) return 0;
          let score = 0;
          for (let d = first; d < first + depth; d++) score += row[d] * key[d];
          return Math.exp(score / Math.sqrt(depth));
        });
        const total = weights.reduce((a, w) => a + w);
        return weights.reduce((a, w, j) => a + (w / total) * v[j][c], 0);
      }),
    );
    out.push(...(await project(out_proj, attended)).flat());
  }
  return out;
}

describe.each(await testBackends())("MultiHeadAttention on $name", ({ start }) => {
  beforeAll(start);

  it.each([
    ["self-attention", false, [2, 5, 6], undefined],
    ["causal self-attention", true, [2, 5, 6], undefined],
    ["attention to a context of another width", false, [2, 3, 6], [2, 4, 5]],
    ["attention to one context for the whole batch", false, [3, 2, 6], [1, 4, 5]],
  ] as const)("%s equals the paper's equations", async (_, causal, shape, contextShape) => {
    await expectNoLeaks(async () => {
      const attention = new MultiHeadAttention(6, { heads: 2, contextWidth: contextShape?.[2] });
      attention.initialize(new Random(1));
      const x = normal(2, [...shape]);
      const context = contextShape && normal(3, [...contextShape]);
      const y = attention.forward(x, { context, causal });
      expect(y.shape).toEqual(shape);
      expectClose(await y.data(), await byLoops(attention, x, context ?? x, causal), {
        relative: 1e-5,
        absolute: 1e-6,
      });
      tf.dispose([x, y]);
      context?.dispose();
      attention.dispose();
    });
  });

  it("has the gradients of its inputs, and none for the keys' bias, which the softmax cancels", async () => {
    await expectNoLeaks(async () => {
      const attention = new MultiHeadAttention(4, { heads: 2 }).initialize(new Random(4));
      const [x, context] = [normal(5, [1, 3, 4]), normal(6, [1, 2, 4])];
      await checkGradients(
        (a, b) => attention.forward(a as tf.Tensor3D, { context: b as tf.Tensor3D }),
        [x, context],
      );
      const { value, gradients } = valueAndGradients(
        () => tf.tidy(() => tf.sum(tf.square(attention.forward(x)))),
        attention.parameters(),
      );
      const names = Array.from(attention.namedParameters(), ([name]) => name);
      for (const [i, name] of names.entries()) {
        const largest = Math.max(...(await gradients[i].data()).map(Math.abs));
        if (name === "k_proj.bias") expect(largest).toBeLessThan(1e-5);
        else expect(largest, name).toBeGreaterThan(1e-3);
      }
      tf.dispose([x, context, value, gradients]);
      attention.dispose();
    });
  });
});

describe("MultiHeadAttention", () => {
  it("has Hugging Face's names", () => {
    const names = Array.from(new MultiHeadAttention(4, { heads: 1 }).namedParameters(), ([name]) => name);
    expect(names).toEqual(
      ["q_proj", "k_proj", "v_proj", "out_proj"].flatMap((map) => [`${map}.weight`, `${map}.bias`]),
    );
  });

  it.each([0, 4, 1.5])("refuses %d heads for a width of 6", (heads) => {
    expect(() => new MultiHeadAttention(6, { heads })).toThrow(
      `MultiHeadAttention: heads must divide width (6), got ${heads}`,
    );
  });
});
