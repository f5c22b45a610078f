import { initialize } from "@dcr-js/tensor";
import { expectClose, expectNoLeaks, normalArray, numericalGradient } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { dwa } from "../aggregators/dwa.js";
import { ExcessMTL } from "../aggregators/excess-mtl.js";
import { gradDrop } from "../aggregators/grad-drop.js";
import { gradVac } from "../aggregators/grad-vac.js";
import { mgda } from "../aggregators/mgda.js";
import { pcgrad } from "../aggregators/pcgrad.js";
import { trimmedMean } from "../aggregators/trimmed-mean.js";
import { upgrad } from "../aggregators/upgrad.js";
import { weightedSum } from "../aggregators/weighted-sum.js";
import { type BackwardResult, backward } from "./backward.js";

beforeAll(() => initialize({ device: "cpu" }));

/** A trunk of two layers, a loss of its features alone, one with a head, and one that looks at a weight too. */
function model() {
  const x = tf.tensor2d(normalArray(1, 12), [4, 3]);
  const y = tf.tensor2d(normalArray(2, 8), [4, 2]);
  const a = tf.variable(tf.tensor2d(normalArray(3, 6), [3, 2]), true);
  const b = tf.variable(tf.tensor1d(normalArray(4, 2)), true);
  const head = tf.variable(tf.tensor2d(normalArray(5, 4), [2, 2]), true);
  const trunk = () => tf.tidy(() => tf.tanh(tf.add(tf.matMul(x, a), b)));
  const losses = {
    fit: (f: tf.Tensor) => tf.tidy(() => tf.mean(tf.square(tf.sub(f, y)))) as tf.Scalar,
    head: (f: tf.Tensor) =>
      tf.tidy(() => tf.mean(tf.square(tf.add(tf.matMul(f as tf.Tensor2D, head), y)))) as tf.Scalar,
    small: (f: tf.Tensor) =>
      tf.tidy(() => tf.add(tf.mean(tf.abs(f)), tf.mul(0.1, tf.sum(tf.square(a))))) as tf.Scalar,
  };
  const dispose = () => tf.dispose([x, y, a, b, head]);
  return { a, b, head, trunk, losses, dispose };
}

/** The gradients that variableGrads gives for the weighted sum of the losses. */
function reference(losses: (() => tf.Scalar)[], weights: number[], variables: tf.Variable[]): tf.Tensor[] {
  const { value, grads } = tf.variableGrads(
    () => tf.addN(losses.map((loss, i) => tf.mul(loss(), weights[i]))) as tf.Scalar,
    variables,
  );
  value.dispose();
  return variables.map(({ name }) => grads[name]);
}

function expectGradients(actual: Record<string, tf.Tensor>, expected: Record<string, tf.Tensor>): void {
  expect(Object.keys(actual)).toEqual(Object.keys(expected));
  for (const [name, tensor] of Object.entries(expected)) {
    expectClose(actual[name], tensor, { relative: 1e-5, absolute: 1e-6 });
  }
}

describe("backward", () => {
  it("gives the values and the weighted gradient that variableGrads gives, with a trunk and without", async () => {
    const { a, b, head, trunk, losses, dispose } = model();
    const names = Object.keys(losses) as (keyof typeof losses)[];
    const whole = names.map((name) => () => tf.tidy(() => losses[name](trunk())));
    await expectNoLeaks(async () => {
      for (const aggregator of [
        undefined,
        weightedSum([2, 0.5, -1]),
        upgrad(),
        mgda(),
        pcgrad({ seed: 3 }),
      ]) {
        const results: BackwardResult[] = [
          await backward(Object.fromEntries(names.map((name, i) => [name, whole[i]])), {
            variables: { a, b },
            heads: { head },
            aggregator,
          }),
          await backward(losses, { trunk, variables: { a, b }, heads: { head }, aggregator }),
          await backward(losses, {
            trunk,
            variables: { a, b },
            heads: { head },
            aggregator,
            gramAt: "variables",
          }),
        ];
        for (const { gradients, values, weights } of results) {
          const [da, db] = reference(whole, Object.values(weights!), [a, b]);
          const [dHead] = reference(whole, [1, 1, 1], [head]);
          expectGradients(gradients, { a: da, b: db, head: dHead });
          const expected = whole.map((loss) => tf.tidy(() => loss().dataSync()[0]));
          expectClose(Object.values(values), expected, { relative: 1e-6 });
          tf.dispose([gradients, da, db, dHead]);
        }
        // Compared at the variables, the weights do not depend on how the gradients were taken.
        expectClose(Object.values(results[2].weights!), Object.values(results[0].weights!), {
          relative: 1e-6,
        });
      }
    });
    dispose();
  });

  it("keeps each head's own gradient, whatever the weights, with a trunk and without", async () => {
    const w = tf.variable(tf.tensor1d([1, -2]), true);
    const heads = {
      first: tf.variable(tf.scalar(3), true),
      second: tf.variable(tf.tensor1d([4, 5, 6]), true),
    };
    const losses = {
      a: () => tf.tidy(() => tf.add(tf.sum(tf.mul(w, heads.first)), tf.square(heads.first))) as tf.Scalar,
      b: () => tf.tidy(() => tf.mul(tf.sum(w), tf.sum(heads.second))) as tf.Scalar,
    };
    await expectNoLeaks(async () => {
      for (const trunk of [undefined, () => tf.mul(w, 1)]) {
        const { gradients, projection, weights } = await backward(
          // With a trunk its features stand for the variable.
          trunk
            ? {
                a: (f: tf.Tensor) =>
                  tf.tidy(() => tf.add(tf.sum(tf.mul(f, heads.first)), tf.square(heads.first))) as tf.Scalar,
                b: (f: tf.Tensor) => tf.tidy(() => tf.mul(tf.sum(f), tf.sum(heads.second))) as tf.Scalar,
              }
            : losses,
          { trunk: trunk as never, variables: { w }, heads, aggregator: weightedSum([2, 0.5]) },
        );
        // 2 (3, 3) + (15, 15) / 2; sum(w) + 2 * 3; sum(w) each.
        expect(Object.keys(gradients)).toEqual(["w", "first", "second"]);
        expectClose(gradients["w"], [13.5, 13.5], { relative: 1e-6 });
        expectClose(gradients["first"], [5], { relative: 1e-6 });
        expectClose(gradients["second"], [-1, -1, -1], { relative: 1e-6 });
        expect(weights).toEqual({ a: 2, b: 0.5 });
        // The direction is 4.5 times the one gradient and 0.9 times the other, along both.
        expectClose(Object.values(projection.shares), [4.5, 0.9], { relative: 1e-6 });
        expectClose(Object.values(projection.cosines), [1, 1], { relative: 1e-6 });
        tf.dispose(gradients);
      }
    });
    tf.dispose([w, heads]);
  });

  it("weighs by the Gram matrix at the features, in finite differences", async () => {
    const { a, b, trunk, losses, dispose } = model();
    const { head: _, ...two } = losses;
    const features = trunk();
    const at = Float64Array.from(features.dataSync());
    const gradients = Object.values(two).map((loss) =>
      numericalGradient(
        (f) => tf.tidy(() => loss(tf.tensor(Float32Array.from(f), [4, 2])).dataSync()[0]),
        at,
        1e-2,
      ),
    );
    const gram = gradients.flatMap((g) => gradients.map((h) => g.reduce((sum, x, i) => sum + x * h[i], 0)));
    const { weights } = mgda().weigh(gram);
    const result = await backward(two, { trunk, variables: { a, b }, aggregator: mgda() });
    expectClose(Object.values(result.weights!), weights, { absolute: 2e-3 });
    expectClose(Object.values(result.conflict.norms), [Math.sqrt(gram[0]), Math.sqrt(gram[3])], {
      relative: 1e-3,
    });
    tf.dispose([features, result.gradients]);
    dispose();
  });

  it("gives features as the trunk does: a tensor, a list or by name", async () => {
    const { a, b, trunk, losses, dispose } = model();
    await expectNoLeaks(async () => {
      const plain = await backward(losses, { trunk, variables: [a, b] });
      const list = await backward(
        {
          fit: ([f]) => losses.fit(f),
          head: ([f]) => losses.head(f),
          small: ([f]) => losses.small(f),
        },
        { trunk: () => [trunk(), tf.mul(a, 2)] as const, variables: [a, b] },
      );
      const named = await backward(
        {
          fit: ({ f }) => losses.fit(f),
          head: ({ f }) => losses.head(f),
          small: ({ f }) => losses.small(f),
        },
        { trunk: () => ({ f: trunk() }), variables: [a, b] },
      );
      expectGradients(list.gradients, plain.gradients);
      expectGradients(named.gradients, plain.gradients);
      tf.dispose([plain.gradients, list.gradients, named.gradients]);
      // A trunk that returns its caller's tensor leaves it alive.
      const through = await backward(
        { one: (f) => tf.sum(f) as tf.Scalar, two: (f) => tf.sum(tf.square(f)) as tf.Scalar },
        { trunk: () => a, variables: { a } },
      );
      tf.dispose(through.gradients);
      expect(a.isDisposed).toBe(false);
    });
    dispose();
  });

  it("measures conflict, groups, and what the direction keeps of each gradient", async () => {
    const w = tf.variable(tf.tensor1d([1, -2]), true);
    const b = tf.variable(tf.scalar(3), true);
    const losses = {
      square: () => tf.tidy(() => tf.add(tf.sum(tf.square(w)), b)) as tf.Scalar,
      fall: () => tf.tidy(() => tf.sub(tf.square(b), tf.sum(w))) as tf.Scalar,
    };
    await expectNoLeaks(async () => {
      const { gradients, conflict, projection, weights } = await backward(losses, {
        variables: { "layers.0.w": w, "layers.1.b": b },
        groups: (name) => /layers\.\d+/.exec(name)?.[0],
      });
      expect(weights).toEqual({ square: 1, fall: 1 });
      expectClose([conflict.pairs[0].cosine], [8 / Math.sqrt(21 * 38)], { relative: 1e-6 });
      expectClose(
        Object.values(conflict.groups!).map(({ pairs }) => pairs[0].cosine),
        [2 / Math.sqrt(40), 1],
        { relative: 1e-6 },
      );
      expectClose(Object.values(projection.shares), [29 / 21, 46 / 38], { relative: 1e-6 });
      tf.dispose(gradients);
    });
    tf.dispose([w, b]);
  });

  it("takes elementwise aggregators and ExcessMTL, compared at the variables", async () => {
    const { a, b, trunk, losses, dispose } = model();
    await expectNoLeaks(async () => {
      for (const aggregator of [trimmedMean(), gradDrop({ seed: 1 })]) {
        const options = { trunk, variables: { a, b }, aggregator, step: 4 };
        const result = await backward(losses, { ...options, gramAt: "variables" });
        const rows = Object.values(losses).map((loss) =>
          reference([() => tf.tidy(() => loss(trunk()))], [1], [a, b]),
        );
        const [da, db] = aggregator.combine(rows, { step: 4 });
        expectGradients(result.gradients, { a: da, b: db });
        expect(result.weights).toBeUndefined();
        const flat = (list: tf.Tensor[]) => list.flatMap((x) => Array.from(x.dataSync()));
        const direction = flat([da, db]);
        const shares = rows.map((row) => {
          const own = flat(row);
          return own.reduce((s, x, i) => s + x * direction[i], 0) / own.reduce((s, x) => s + x * x, 0);
        });
        expectClose(Object.values(result.projection.shares), shares, { relative: 1e-5 });
        tf.dispose([result.gradients, da, db, rows]);
        await expect(backward(losses, options)).rejects.toThrow(
          `${aggregator.name} combines gradients of variables; expected gramAt "variables" with it`,
        );
      }
      const excess = new ExcessMTL();
      const { gradients, weights } = await backward(losses, {
        trunk,
        variables: { a, b },
        aggregator: excess,
        gramAt: "variables",
      });
      expectClose([Object.values(weights!).reduce((sum, x) => sum + x, 0)], [1], { relative: 1e-9 });
      tf.dispose(gradients);
      excess.dispose();
    });
    dispose();
  });

  it("hands memory on as plain numbers, and the losses' values to those that need them", async () => {
    const { a, b, trunk, losses, dispose } = model();
    const options = { trunk, variables: { a, b } };
    let memory: number[] | undefined;
    for (let step = 0; step < 3; step++) {
      const result = await backward(losses, { ...options, aggregator: gradVac({ beta: 0.5 }), step, memory });
      expect(result.memory?.length).toBe(9);
      memory = JSON.parse(JSON.stringify(result.memory));
      tf.dispose(result.gradients);
    }
    const { values, memory: known, gradients } = await backward(losses, { ...options, aggregator: dwa() });
    expect(known).toEqual(Object.values(values));
    tf.dispose(gradients);
    dispose();
  });

  it("names the loss that is not finite, by value or gradient, and leaks nothing", async () => {
    const { a, b, head, trunk, losses, dispose } = model();
    const variables = { a, b };
    const cases: [Record<string, (f: tf.Tensor) => tf.Scalar>, string][] = [
      [
        { ...losses, broken: (f) => tf.tidy(() => tf.add(tf.sum(f), Number.NaN)) as tf.Scalar },
        'backward: loss "broken" must be a finite number, got NaN',
      ],
      [
        { ...losses, steep: (f) => tf.tidy(() => tf.sum(tf.sqrt(tf.mul(f, 0)))) as tf.Scalar },
        'the gradient of loss "steep" is not finite',
      ],
      [
        {
          ...losses,
          own: (f) => tf.tidy(() => tf.add(tf.sum(f), tf.sum(tf.sqrt(tf.mul(head, 0))))) as tf.Scalar,
        },
        'the gradient of loss "own" is not finite',
      ],
    ];
    await expectNoLeaks(async () => {
      for (const [broken, message] of cases) {
        for (const gramAt of ["features", "variables"] as const) {
          await expect(backward(broken, { trunk, variables, heads: { head }, gramAt })).rejects.toThrow(
            message,
          );
        }
      }
      await expect(
        backward(
          { fine: (f: tf.Tensor) => tf.sum(f) as tf.Scalar },
          { trunk: () => tf.tidy(() => tf.sqrt(tf.mul(a, 0))), variables },
        ),
      ).rejects.toThrow('the trunk\'s gradient at "a" is not finite');
    });
    dispose();
  });

  it("refuses what it cannot do, and leaks nothing", async () => {
    const { a, b, head, trunk, losses, dispose } = model();
    const options = { trunk, variables: { a, b } };
    const [integers, gone] = [tf.tensor1d([1], "int32"), tf.tensor1d([1])];
    gone.dispose();
    await expectNoLeaks(async () => {
      const own = (weights: unknown) => ({ name: "mine", weigh: () => ({ weights }) });
      const refused: [object, string | RegExp][] = [
        [{ losses: {} }, "losses must not be empty"],
        [{ losses: { a: 3 } }, 'losses["a"] must be a function, got 3'],
        [{ losses: { two: (f: tf.Tensor) => f } }, 'loss "two" must be a scalar, got shape [4,2]'],
        [{ losses: { none: () => tf.scalar(1) } }, 'loss "none" depends on none of the variables'],
        [{ losses: { three: () => 3 } }, 'loss "three" must be a scalar tensor, got 3'],
        [
          { losses: { later: async () => tf.scalar(1) } },
          'loss "later" must be a scalar tensor, got a Promise; losses are differentiated as they run, and cannot be async',
        ],
        [
          { losses: { weight: () => tf.sum(a) } },
          'loss "weight" does not depend on the features; expected that of every loss, or gramAt "variables"',
        ],
        [{ heads: { a: head } }, 'heads["a"] is among the variables too'],
        [{ heads: { other: b } }, 'heads["other"] is among the variables too'],
        [{ groups: () => "g" }, 'groups are of variables; expected gramAt "variables" with them'],
        [{ gramAt: "layers" }, "gramAt must be one of features, variables, got"],
        [{ trunk: undefined, gramAt: "features" }, 'gramAt "features" needs a trunk'],
        [{ trunk: 3 }, "trunk must be a function, got 3"],
        [{ trunk: () => 3 }, "trunk must return a tensor, a list of tensors or tensors by name, got 3"],
        [{ aggregator: {} }, "aggregator must be an aggregator, got a Object"],
        [{ aggregator: mgda }, "aggregator must be an aggregator, got a function; call it, as in upgrad()"],
        [
          { aggregator: own(undefined) },
          "backward: mine must give 3 weights, one for each loss, got undefined",
        ],
        [{ aggregator: own([1]) }, "backward: mine must give 3 weights, one for each loss, got 1"],
        [
          { aggregator: own([1, Number.NaN, 1]) },
          "backward: mine: weights[1] must be a finite number, got NaN",
        ],
        [
          { losses: { fine: (f: tf.Tensor) => tf.sum(f) }, trunk: () => tf.ones([4, 2]) },
          "the trunk's features depend on none of the variables",
        ],
        [{ aggregator: trimmedMean(), gramAt: "variables", memory: [1] }, "trimmedMean takes no memory"],
        [{ aggregator: mgda(), memory: [1] }, "mgda takes no memory, got one of 1"],
        [{ memory: [1, 2] }, "weightedSum takes no memory, got one of 2"],
        [{ aggregator: null }, "aggregator must have a value, got null"],
        [{ losses: undefined }, "losses must be functions by name, got undefined"],
        [{ variables: { a, integers } }, 'variables["integers"] must be float32, got int32'],
        [{ variables: { a, gone } }, 'variables["gone"] is disposed'],
        [{ variables: null }, "variables must have a value, got null"],
        [{ heads: null }, "heads must have a value, got null"],
        [{ memory: 3 }, "memory must be an array of numbers, got 3"],
        [{ gramAt: "variables", groups: () => 3 }, 'groups must give a name or undefined, got 3 for "a"'],
        [{ gramAt: "variables", groups: "g" }, 'groups must be a function, got "g"'],
        [{ step: -1 }, "step must be an integer, at least 0, got -1"],
        [{ agregator: mgda() }, 'unknown option "agregator"'],
      ];
      for (const [change, message] of refused) {
        const { losses: given, ...changed } = { losses, ...options, ...change };
        await expect(backward(given as never, changed as never), String(message)).rejects.toThrow(message);
      }
    });
    integers.dispose();
    dispose();
  });
});
