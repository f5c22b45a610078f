import { initialize, Linear, Random } from "@dcr-js/tensor";
import { expectClose, expectNoLeaks, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import {
  conflictFromGram,
  conflictFromGroupedGram,
  gradientConflict,
  gramMatrix,
  groupedGramMatrices,
} from "./conflict.js";
import { lossGradients } from "./loss-gradients.js";

beforeAll(() => initialize({ device: "cpu" }));

describe("gramMatrix", () => {
  it("takes small tensors together and long ones by themselves", async () => {
    const sizes = [5, 2 ** 19 + 3, 11, 2 ** 18, 2 ** 18 + 1, 1];
    const values = [0, 1].map((loss) => sizes.map((size, i) => normalArray(10 * loss + i, size)));
    const product = (i: number, j: number) => {
      let sum = 0;
      for (const [at, all] of values[i].entries()) {
        for (const [k, value] of all.entries()) sum += value * values[j][at][k];
      }
      return sum;
    };
    const gradients = values.map((list) => list.map((all) => tf.tensor1d(all)));
    const expected = [product(0, 0), product(0, 1), product(0, 1), product(1, 1)];
    expectClose(await gramMatrix(gradients), expected, { relative: 1e-6, absolute: 1e-6 * product(0, 0) });
    tf.dispose(gradients);
  });

  it("holds the inner products of all pairs, whole and by group", async () => {
    const values = [1, 2, 3].map((seed) => normalArray(seed, 9));
    const gradients = values.map((v) => [
      tf.tensor2d(v.slice(0, 4), [2, 2]),
      tf.tensor1d(v.slice(4, 6)),
      tf.tensor1d(v.slice(6)),
    ]);
    const inner = (from: number, to: number) =>
      values.flatMap((a) => values.map((b) => a.slice(from, to).reduce((s, x, d) => s + x * b[from + d], 0)));
    await expectNoLeaks(async () => {
      expectClose(await gramMatrix(gradients), inner(0, 9), { relative: 1e-5, absolute: 1e-6 });
      const { whole, groups } = await groupedGramMatrices(gradients, ["a", undefined, "b"]);
      expectClose(whole, inner(0, 9), { relative: 1e-5, absolute: 1e-6 });
      expect(Object.keys(groups)).toEqual(["a", "b"]);
      expectClose(groups["a"], inner(0, 4), { relative: 1e-5, absolute: 1e-6 });
      expectClose(groups["b"], inner(6, 9), { relative: 1e-5, absolute: 1e-6 });
    });
    await expect(gramMatrix([gradients[0], gradients[1].slice(1)])).rejects.toThrow(/all of one length/);
    await expect(gramMatrix([gradients[0], [...gradients[1]].reverse()])).rejects.toThrow(
      /tensor 0 must have one shape for all losses, got \[2,2\] and, of loss 1, \[3\]/,
    );
    await expect(gramMatrix([])).rejects.toThrow(/one list of gradients for each loss/);
    tf.dispose(gradients as tf.TensorContainer);
  });
});

describe("conflictFromGram", () => {
  it("gives norms, cosines and magnitude similarities", () => {
    // |a| = 3, |b| = 4, |c| = 0, a . b = -6.
    const { norms, pairs } = conflictFromGram(["a", "b", "c"], [9, -6, 0, -6, 16, 0, 0, 0, 0]);
    expect(norms).toEqual({ a: 3, b: 4, c: 0 });
    expect(pairs).toEqual([
      { losses: ["a", "b"], cosine: -0.5, magnitudeSimilarity: 24 / 25 },
      { losses: ["a", "c"], cosine: 0, magnitudeSimilarity: 0 },
      { losses: ["b", "c"], cosine: 0, magnitudeSimilarity: 0 },
    ]);
    const right = conflictFromGram(["a", "b"], [4, 0, 0, 1]);
    expect(right.pairs[0]).toEqual({ losses: ["a", "b"], cosine: 0, magnitudeSimilarity: 0.8 });
    const opposite = conflictFromGram(["a", "b"], [2, -2, -2, 2]).pairs[0];
    expectClose([opposite.cosine, opposite.magnitudeSimilarity], [-1, 1], { relative: 1e-15 });
    const zeros = conflictFromGram(["a", "b"], [0, 0, 0, 0]);
    expect(zeros.pairs[0]).toEqual({ losses: ["a", "b"], cosine: 0, magnitudeSimilarity: 1 });
    // Rounding may carry an inner product beyond the product of the norms; a cosine stays one.
    expect(conflictFromGram(["a", "b"], [1, 1.0000001, 1.0000001, 1]).pairs[0].cosine).toBe(1);
    expect(() => conflictFromGram(["a"], [1, 2])).toThrow(/expected 1 inner products, got 2/);
  });
});

describe("gradientConflict", () => {
  it("measures gradients known in closed form, for variables by name and group", async () => {
    const w = tf.variable(tf.tensor1d([1, -2]), true);
    const b = tf.variable(tf.scalar(3), true);
    const losses = {
      // Gradients 2w = (2, -4) and 1; (-1, -1) and 2b = 6; and nothing at w.
      square: () => tf.add(tf.sum(tf.square(w)), b) as tf.Scalar,
      fall: () => tf.sub(tf.square(b), tf.sum(w)) as tf.Scalar,
      bias: () => tf.mul(b, 2) as tf.Scalar,
    };
    await expectNoLeaks(async () => {
      const conflict = await gradientConflict({
        losses,
        variables: { "layers.0.w": w, "layers.1.b": b },
        groups: (name) => /layers\.\d+/.exec(name)?.[0],
      });
      expect(conflict.values).toEqual({ square: 8, fall: 10, bias: 6 });
      expectClose(Object.values(conflict.norms), [Math.sqrt(21), Math.sqrt(38), 2], { relative: 1e-6 });
      expect(conflict.pairs.map((pair) => pair.losses)).toEqual([
        ["square", "fall"],
        ["square", "bias"],
        ["fall", "bias"],
      ]);
      const cosines = [8 / Math.sqrt(21 * 38), 2 / Math.sqrt(21 * 4), 12 / Math.sqrt(38 * 4)];
      expectClose(
        conflict.pairs.map((pair) => pair.cosine),
        cosines,
        { relative: 1e-6 },
      );
      const first = conflict.groups!["layers.0"];
      expectClose(
        first.pairs.map((pair) => pair.cosine),
        [2 / Math.sqrt(20 * 2), 0, 0],
        { relative: 1e-6 },
      );
      expect(conflict.groups!["layers.1"].norms).toEqual({ square: 1, fall: 6, bias: 2 });
      const plain = await gradientConflict({ losses, variables: [w, b] });
      expect(plain.groups).toBeUndefined();
      expect(plain.pairs).toEqual(conflict.pairs);
    });
    tf.dispose([w, b]);
  });

  it("takes a module's parameters, and finds opposite losses opposite", async () => {
    const layer = new Linear(3, 2).initialize(new Random(1));
    const x = new Random(2).normal([4, 3]);
    const loss = () => tf.tidy(() => tf.sum(tf.square(layer.forward(x)))) as tf.Scalar;
    await expectNoLeaks(async () => {
      const { pairs, groups } = await gradientConflict({
        losses: { up: loss, down: () => tf.tidy(() => tf.mul(loss(), -3)) as tf.Scalar },
        variables: Object.fromEntries(layer.namedParameters()),
        groups: (name) => name,
      });
      expectClose([pairs[0].cosine, pairs[0].magnitudeSimilarity], [-1, 0.6], { relative: 1e-5 });
      expect(Object.keys(groups!)).toEqual(["weight", "bias"]);
    });
    x.dispose();
    layer.dispose();
  });

  it("names the loss that depends on nothing, and leaks nothing then", async () => {
    const w = tf.variable(tf.scalar(1), true);
    await expectNoLeaks(() => {
      const losses = { used: () => tf.square(w) as tf.Scalar, unused: () => tf.scalar(1) };
      expect(() => lossGradients({ losses, variables: [w] })).toThrow(
        'loss "unused" depends on none of the variables',
      );
      expect(() =>
        lossGradients({ losses: { many: () => tf.mul(w, [1, 2]) as never }, variables: [w] }),
      ).toThrow('loss "many" must be a scalar, got shape [2]');
      expect(() => lossGradients({ losses: {}, variables: [w] })).toThrow(/losses must not be empty/);
      expect(() => lossGradients({ losses, variables: [] })).toThrow(/variables must not be empty/);
    });
    w.dispose();
  });
});

describe("gradients at the ends of float32", () => {
  it("are measured right, from 1e20 to 1e-23", async () => {
    const gradients = [
      [tf.tensor1d([3e20, 4e20]), tf.tensor1d([0])],
      [tf.tensor1d([3e-23, 0]), tf.tensor1d([4e-23])],
      [tf.tensor1d([1, 0]), tf.tensor1d([0])],
    ];
    await expectNoLeaks(async () => {
      const { norms, pairs } = conflictFromGram(["a", "b", "c"], await gramMatrix(gradients));
      expectClose([norms.a / 1e20, norms.b / 1e-23, norms.c], [5, 5, 1], { relative: 1e-6 });
      expectClose(
        pairs.map(({ cosine }) => cosine),
        [0.36, 0.6, 0.6],
        { relative: 1e-6 },
      );
      expectClose([pairs[2].magnitudeSimilarity / 1e-22], [1], { relative: 1e-5 });
    });
    tf.dispose(gradients);
  });

  it("are measured right in each group, beside one of another length, and a zero gradient stays zero", async () => {
    const gradients = [
      [tf.tensor1d([1, 2]), tf.tensor1d([1e-23, 0]), tf.tensor1d([0]), tf.tensor1d([3e20])],
      [tf.tensor1d([2, 1]), tf.tensor1d([-1e-23, 0]), tf.tensor1d([5]), tf.tensor1d([4e-20])],
    ];
    await expectNoLeaks(async () => {
      const { whole, groups } = await groupedGramMatrices(gradients, ["first", "deep", "unused", "far"]);
      const of = (group: string) => conflictFromGram(["a", "b"], groups[group]);
      expectClose(
        Object.values(of("deep").norms).map((norm) => norm / 1e-23),
        [1, 1],
        { relative: 1e-6 },
      );
      expectClose([of("deep").pairs[0].cosine, of("deep").pairs[0].magnitudeSimilarity], [-1, 1], {
        relative: 1e-6,
      });
      expectClose([of("first").pairs[0].cosine], [0.8], { relative: 1e-6 });
      expect([of("unused").norms, of("unused").pairs[0].cosine]).toEqual([{ a: 0, b: 5 }, 0]);
      expectClose(
        [of("far").norms.a / 3e20, of("far").norms.b / 4e-20, of("far").pairs[0].cosine],
        [1, 1, 1],
        {
          relative: 1e-6,
        },
      );
      expectClose([Math.sqrt(whole[0]) / 3e20, whole[3]], [1, 30], { relative: 1e-6 });
    });
    tf.dispose(gradients);
  });

  it("that are NaN are an error with the loss's name", async () => {
    const v = tf.variable(tf.tensor1d([0, 1]));
    const broken = () => tf.tidy(() => tf.sum(tf.log(tf.sub(v, v)))) as tf.Scalar;
    const options = { losses: { broken, fine: () => tf.sum(v) as tf.Scalar }, variables: { v } };
    await expect(gradientConflict(options)).rejects.toThrow('the gradient of loss "broken" is not finite');
    v.dispose();
  });
});

it("refuses names that are equal, and groups without inner products", () => {
  expect(() => conflictFromGram(["a", "a"], [1, 0, 0, 1])).toThrow(
    'conflictFromGram: names must differ, got "a" twice',
  );
  expect(() => conflictFromGroupedGram(["a"], undefined as never)).toThrow(
    "expected 1 inner products, got undefined",
  );
});

describe("variables", () => {
  it("may be tensors, or objects that hold one; a tied one counts once", () => {
    const v = tf.variable(tf.tensor1d([1, 2]));
    const x = tf.tensor1d([3, 4]);
    const losses = { a: () => tf.tidy(() => tf.sum(tf.add(tf.square(v), tf.mul(x, 2)))) as tf.Scalar };
    const result = lossGradients({
      losses,
      variables: { kernel: { val: v }, tied: v, held: { value: v }, x },
    });
    expect(result.variables).toEqual(["kernel", "x"]);
    expectClose(result.gradients[0][0], [2, 4], {});
    expectClose(result.gradients[0][1], [2, 2], {});
    tf.dispose([result.values, result.gradients, v, x]);
    expect(() => lossGradients({ losses, variables: { w: 3 as never } })).toThrow(
      'lossGradients: variables["w"] must be a tf.Variable, a tensor, a Parameter or a tf.layers weight, got 3',
    );
    expect(() => lossGradients({ losses, variable: {} } as never)).toThrow('unknown option "variable"');
  });

  it("and losses that are wrong are told by the function that was called", async () => {
    const v = tf.variable(tf.tensor1d([1, 2]));
    const loss = () => tf.sum(v) as tf.Scalar;
    await expect(gradientConflict({ losses: {}, variables: { v } })).rejects.toThrow(
      "gradientConflict: losses must not be empty",
    );
    await expect(gradientConflict({ losses: { loss }, variables: { v: 3 as never } })).rejects.toThrow(
      'gradientConflict: variables["v"] must be',
    );
    // A group may have any name.
    const { groups } = await gradientConflict({
      losses: { loss },
      variables: { v },
      groups: () => "__proto__",
    });
    expect(Object.keys(groups!)).toEqual(["__proto__"]);
    v.dispose();
  });
});
