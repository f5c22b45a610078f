import { uniformArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { testBackends } from "../../test/test-backends.js";

// Values and indices as torch.topk has them; of equals it may give any, and ours give the first.

const nan = Number.NaN;
const largest = 3.4028234663852886e38;
const rows: [row: number[], k: number, indices: number[]][] = [
  [[1, nan, 3, 2, nan, 9, 4], 3, [1, 4, 5]],
  [[1, nan, 3, 3], 4, [1, 2, 3, 0]],
  [[nan, nan, nan], 2, [0, 1]],
  [[-Infinity, -Infinity, Infinity], 3, [2, 0, 1]],
  [[-0, 0, -0], 3, [0, 1, 2]],
  [[-largest, -Infinity, -1e-38, 0, 1e-38, largest, nan, Infinity], 8, [6, 7, 5, 4, 3, 2, 0, 1]],
  [[5, nan, 1, nan, 2, 9, nan, 4, 3, 8], 4, [1, 3, 6, 5]],
  [[4, 4, 4], 0, []],
];

describe.each(await testBackends())("topk on $name", ({ start }) => {
  beforeAll(start);
  const read = async (x: tf.Tensor, k: number) => {
    const before = tf.memory().numTensors;
    const { values, indices } = tf.topk(x, k);
    const result = { values: Array.from(await values.data()), indices: Array.from(await indices.data()) };
    expect([values.dtype, indices.dtype]).toEqual([x.dtype, "int32"]);
    tf.dispose([values, indices]);
    expect(tf.memory().numTensors).toBe(before);
    return result;
  };

  it.each(rows)("of [%s], the first %d", async (row, k, indices) => {
    const x = tf.tensor1d(row);
    expect(await read(x, k)).toEqual({ values: indices.map((i) => Math.fround(row[i])), indices });
    x.dispose();
  });

  it("of int32 and of bool", async () => {
    const x = tf.tensor1d([2147483647, -2147483648, 2147483646, 16777217, 2147483647], "int32");
    expect(await read(x, 5)).toEqual({
      values: [2147483647, 2147483647, 2147483646, 16777217, -2147483648],
      indices: [0, 4, 2, 3, 1],
    });
    const bools = tf.tensor1d([0, 1, 0, 1], "bool");
    expect(await read(bools, 3)).toEqual({ values: [1, 1, 0], indices: [1, 3, 0] });
    tf.dispose([x, bools]);
  });

  it("of many rows is a stable sort of each", async () => {
    // Twenty different numbers, so that there are equals.
    const data = uniformArray(3, 7 * 1000).map((value) => Math.floor(value * 20));
    const x = tf.tensor(data, [7, 1000]);
    for (const k of [1, 13, 1000]) {
      const { indices } = await read(x, k);
      const expected = Array.from({ length: 7 }, (_, row) =>
        [...Array(1000).keys()]
          .sort((i, j) => data[row * 1000 + j] - data[row * 1000 + i] || i - j)
          .slice(0, k),
      );
      expect(indices).toEqual(expected.flat());
    }
    x.dispose();
  });

  it("of rows without elements", async () => {
    const x = tf.zeros([0, 3]);
    expect(await read(x, 2)).toEqual({ values: [], indices: [] });
    x.dispose();
  });
});
