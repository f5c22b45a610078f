import { checkGradients, expectClose } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { normalTensor } from "../../test/normal-tensor.js";
import { readOp } from "../../test/read-op.js";
import { testBackends } from "../../test/test-backends.js";

const filled = <R extends tf.Rank>(shape: number[]) => tf.fill(shape, 0.1) as tf.Tensor as tf.Tensor<R>;
const tenth = Math.fround(0.1);
const close = { relative: 1e-6, absolute: 0 };

describe.each(await testBackends())("averages on $name", ({ start }) => {
  beforeAll(start);

  const pools: [name: string, run: () => tf.Tensor][] = [
    ["an image of 256 x 256", () => tf.avgPool(filled<tf.Rank.R4>([2, 256, 256, 3]), 256, 1, "valid")],
    ["an image of 1000 x 1000", () => tf.avgPool(filled<tf.Rank.R4>([1, 1000, 1000, 1]), 1000, 1, "valid")],
    [
      "a row of 300,000",
      () => tf.avgPool(filled<tf.Rank.R4>([1, 1, 300_000, 1]), [1, 300_000], 300_000, "same"),
    ],
    ["windows of 200 x 200", () => tf.avgPool(filled<tf.Rank.R4>([1, 201, 201, 2]), 200, 1, "valid")],
    ["padded windows of 300 x 300", () => tf.avgPool(filled<tf.Rank.R4>([1, 301, 301, 1]), 300, 100, "same")],
    [
      "a volume of 100 x 100 x 100",
      () => tf.avgPool3d(filled<tf.Rank.R5>([1, 100, 100, 100, 1]), 100, 1, "valid"),
    ],
    ["windows of 40 x 40 x 40", () => tf.avgPool3d(filled<tf.Rank.R5>([1, 41, 40, 41, 2]), 40, 1, "valid")],
  ];
  it.each(pools)("of equal values over %s are that value", async (_name, run) => {
    const { values } = await readOp(run);
    expectClose(
      values,
      values.map(() => tenth),
      close,
    );
  });

  it("have as gradient the share of each element", async () => {
    const gradient = await readOp(() =>
      tf.grad((x: tf.Tensor) => tf.avgPool(x as tf.Tensor4D, 256, 1, "valid"))(filled([1, 256, 256, 1])),
    );
    expectClose(gradient.values, new Float32Array(256 * 256).fill(1 / 65536), close);
    const volume = await readOp(() =>
      tf.grad((x: tf.Tensor) => tf.avgPool3d(x as tf.Tensor5D, 40, 1, "valid"))(filled([1, 40, 40, 40, 1])),
    );
    expectClose(volume.values, new Float32Array(64_000).fill(1 / 64_000), close);
  });

  it("over whole images are their means, gradients included", async () => {
    const x = normalTensor<tf.Rank.R4>(1, [2, 3, 4, 2]);
    for (const pad of ["valid", "same", 0] as const) {
      const run = (y: tf.Tensor) => tf.avgPool(y as tf.Tensor4D, [3, 4], pad === "same" ? [3, 4] : 1, pad);
      const [got, expected] = [await readOp(() => run(x)), await readOp(() => tf.mean(x, [1, 2], true))];
      expect(got.shape).toEqual([2, 1, 1, 2]);
      expectClose(got.values, expected.values, { relative: 1e-6, absolute: 1e-7 });
      await checkGradients(run, [x]);
    }
    x.dispose();
  });

  // tfjs-core's own test of avgPool3d.
  it("of padding alone are 0 in a volume", async () => {
    const { shape, values } = await readOp(() =>
      tf.avgPool3d(tf.ones<tf.Rank.R5>([1, 1, 1, 1, 1]), [2, 2, 2], 1, 2),
    );
    const isInside = (at: number) => at === 1 || at === 2;
    expect(shape).toEqual([1, 4, 4, 4, 1]);
    expect(values).toEqual(
      Array.from({ length: 64 }, (_, i) => Number([i % 4, (i >> 2) % 4, i >> 4].every(isInside))),
    );
  });

  it("of padding alone are those of nothing, NaN", async () => {
    const { shape, values } = await readOp(() => tf.avgPool(tf.ones([1, 3, 3, 1]) as tf.Tensor4D, 2, 1, 2));
    expect(shape).toEqual([1, 6, 6, 1]);
    const isInside = (i: number) => i > 0 && i < 5;
    expect(values).toEqual(
      Array.from({ length: 36 }, (_, i) => (isInside(i % 6) && isInside(Math.floor(i / 6)) ? 1 : Number.NaN)),
    );
    // Such a window gives no element a gradient.
    const gradient = await readOp(() =>
      tf.grad((x: tf.Tensor) => tf.avgPool(x as tf.Tensor4D, 2, 2, 2))(tf.ones([1, 2, 2, 1])),
    );
    expect(gradient.values).toEqual([0.25, 0.25, 0.25, 0.25]);
  });
});
