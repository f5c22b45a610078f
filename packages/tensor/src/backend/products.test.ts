import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { readOp } from "../../test/read-op.js";
import { testBackends } from "../../test/test-backends.js";

// The reference of integers is BigInt's arithmetic, kept to 32 bits as numpy keeps int32.

const ends = [0, 1, -1, 2, -7, 46341, 65536, 5001, 16777217, 123456789, 987654321, 2147483647, -2147483648];
const pairs = ends.flatMap((a) => ends.map((b) => [a, b] as const));
const whole = (values: readonly number[], shape = [values.length]) => tf.tensor([...values], shape, "int32");
const kept = (value: bigint) => Number(BigInt.asIntN(32, value));
const columns = () => [whole(pairs.map(([a]) => a)), whole(pairs.map(([, b]) => b))] as const;
const ofPairs = (of: (a: bigint, b: bigint) => bigint) =>
  pairs.map(([a, b]) => kept(of(BigInt(a), BigInt(b))));

describe.each(await testBackends())("products on $name", ({ start }) => {
  beforeAll(start);
  const integers = async (run: () => tf.Tensor) => {
    const { dtype, values } = await readOp(run);
    expect(dtype).toBe("int32");
    return values;
  };

  it("of pairs of int32 keep their low 32 bits", async () => {
    expect(await integers(() => tf.mul(...columns()))).toEqual(ofPairs((a, b) => a * b));
    expect(await integers(() => tf.squaredDifference(...columns()))).toEqual(
      ofPairs((a, b) => (a - b) ** 2n),
    );
    expect(await integers(() => tf.add(...columns()))).toEqual(ofPairs((a, b) => a + b));
    expect(await integers(() => tf.sub(...columns()))).toEqual(ofPairs((a, b) => a - b));
    expect(await integers(() => tf.square(whole(ends)))).toEqual(ends.map((a) => kept(BigInt(a) ** 2n)));
    expect(
      await integers(() => tf.outerProduct(whole(ends) as tf.Tensor1D, whole(ends) as tf.Tensor1D)),
    ).toEqual(ofPairs((a, b) => a * b));
  });

  it("of int32 and a broadcast int32, and of int32 and bool", async () => {
    const [rows, row] = [whole(ends.slice(0, 6), [2, 1, 3]), whole([123456789, -987654321], [2, 1])];
    const expected = [0, 3].flatMap((from) =>
      [123456789n, -987654321n].flatMap((b) => ends.slice(from, from + 3).map((a) => kept(BigInt(a) * b))),
    );
    const y = await readOp(() => tf.mul(rows, row));
    expect(y).toEqual({ dtype: "int32", shape: [2, 2, 3], values: expected });
    tf.dispose([rows, row]);
    expect(await integers(() => tf.mul(whole([2147483647, 3]), tf.tensor1d([1, 0], "bool")))).toEqual([
      2147483647, 0,
    ]);
  });

  it("are powers of int32, 0 for a negative one unless the base is 1 or -1", async () => {
    const powers: [number, number][] = [
      [3, 30],
      [-7, 21],
      [123456789, 2],
      [2, 31],
      [2, 32],
      [0, 0],
      [-5, 0],
    ]; // prettier-ignore
    const negative: [base: number, exponent: number, expected: number][] = [
      [1, -3, 1],
      [-1, -2, 1],
      [-1, -3, -1],
      [5, -1, 0],
    ]; // prettier-ignore
    const all = [...powers, ...negative];
    expect(
      await integers(() => tf.pow(whole(all.map(([base]) => base)), whole(all.map(([, power]) => power)))),
    ).toEqual([
      ...powers.map(([base, power]) => kept(BigInt(base) ** BigInt(power))),
      ...negative.map(([, , expected]) => expected),
    ]);
  });

  it("along axes, and running ones, keep their low 32 bits", async () => {
    const x = [123456789, 987654321, -3, 2147483647, 46341, 65537];
    const product = (...places: number[]) => kept(places.reduce((result, i) => result * BigInt(x[i]), 1n));
    expect(await integers(() => tf.prod(whole(x)))).toEqual([product(0, 1, 2, 3, 4, 5)]);
    expect(await integers(() => tf.prod(whole(x, [2, 3]), 1))).toEqual([product(0, 1, 2), product(3, 4, 5)]);
    const kepts = await readOp(() => tf.prod(whole(x, [2, 3]), 0, true));
    expect(kepts).toEqual({ dtype: "int32", shape: [1, 3], values: [0, 1, 2].map((i) => product(i, i + 3)) });
    expect(await integers(() => tf.prod(whole(x, [3, 1, 2]), [0, 2]))).toEqual([product(0, 1, 2, 3, 4, 5)]);
    const running = [
      product(0),
      product(0, 1),
      product(0, 1, 2),
      product(3),
      product(3, 4),
      product(3, 4, 5),
    ];
    expect(await integers(() => tf.cumprod(whole(x, [2, 3]), 1))).toEqual(running);
    expect(await integers(() => tf.cumprod(whole(x, [2, 3]), 0, true, true))).toEqual([
      ...x.slice(3),
      1,
      1,
      1,
    ]);
    expect(await integers(() => tf.prod(tf.tensor1d([1, 1, 0], "bool")))).toEqual([0]);
  });

  it("of integer matrices keep their low 32 bits", async () => {
    const [m, k, n] = [3, 5, 2];
    const at = (i: number, by: number) => ends[(i * by) % ends.length];
    const a = Array.from({ length: 2 * m * k }, (_, i) => at(i, 5));
    const b = Array.from({ length: 2 * k * n }, (_, i) => at(i, 7));
    const expected = (batchA: number, batchB: number) =>
      Array.from({ length: m * n }, (_, i) => {
        const [row, column] = [Math.floor(i / n), i % n];
        let sum = 0n;
        for (let j = 0; j < k; j++) {
          sum += BigInt(a[(batchA * m + row) * k + j]) * BigInt(b[(batchB * k + j) * n + column]);
        }
        return kept(sum);
      });
    const [x, y] = [whole(a, [2, m, k]), whole(b, [2, k, n])];
    const both = [...expected(0, 0), ...expected(1, 1)];
    expect(await integers(() => tf.matMul(x, y))).toEqual(both);
    expect(await integers(() => tf.matMul(tf.transpose(x, [0, 2, 1]), y, true))).toEqual(both);
    expect(await integers(() => tf.matMul(x, tf.transpose(y, [0, 2, 1]), false, true))).toEqual(both);
    expect(await integers(() => tf.einsum("bij,bjk->bik", x, y))).toEqual(both);
    const crossed = await readOp(() => tf.matMul(tf.reshape(x, [2, 1, m, k]), tf.reshape(y, [1, 2, k, n])));
    expect(crossed).toEqual({
      dtype: "int32",
      shape: [2, 2, m, n],
      values: [expected(0, 0), expected(0, 1), expected(1, 0), expected(1, 1)].flat(),
    });
    tf.dispose([x, y]);
    expect(await integers(() => tf.dot(whole([5000, 1]), whole([5001, 1])))).toEqual([25005001]);
  });

  it("of matrices of bools count", async () => {
    const x = tf.tensor2d([1, 1, 0, 1], [2, 2], "bool");
    expect(await integers(() => tf.matMul(x, x))).toEqual([1, 2, 0, 1]);
    expect(await integers(() => tf.einsum("ij,jk->ik", x, x))).toEqual([1, 2, 0, 1]);
    x.dispose();
  });

  it("of float32 overflow where the whole product does, and nowhere on the way", async () => {
    const rows = [
      [1e30, 1e30, 1e-30, 1e-30],
      [1e-30, 1e-30, 1e30, -1e30],
      [1e30, 1e30, 2, 1],
      [1e-30, 1e-30, 1, 0.5],
      [Infinity, 0, 1, 1],
      [Infinity, -2, 1e-30, 1e-30],
      [Number.NaN, 0, 1, 1],
      [-0, 1, 1, 1],
    ];
    const { values } = await readOp(() => tf.prod(tf.tensor2d(rows), 1));
    // In float64, which none of the first three overflows.
    const exact = rows.map((row) => Math.fround(row.reduce((product, x) => product * Math.fround(x), 1)));
    expect(values.map((value, i) => (Math.abs(value / exact[i] - 1) < 1e-6 ? exact[i] : value))).toEqual(
      exact,
    );
    const long = tf.concat([tf.fill([500], 2), tf.fill([500], 0.5), tf.tensor1d([3])]);
    expect((await readOp(() => tf.prod(long))).values).toEqual([3]);
    long.dispose();
  });

  it("sums of segments of int32 keep their low 32 bits", async () => {
    const ids = whole([0, 0, 1, 2, 2]);
    const x = whole([16777217, 1, 3, 2147483647, 2147483647]);
    expect(await integers(() => tf.unsortedSegmentSum(x, ids as tf.Tensor1D, 4))).toEqual([
      16777218, 3, -2, 0,
    ]);
    tf.dispose([ids, x]);
  });

  it("softplus and floorDiv of int32 ends", async () => {
    expect(await integers(() => tf.softplus(whole(ends)))).toEqual(ends.map((x) => Math.max(x, 0)));
    const floored = ofPairs((a, b) =>
      b === 0n ? 0n : a / b - (a % b !== 0n && a < 0n !== b < 0n ? 1n : 0n),
    );
    expect(await integers(() => tf.floorDiv(...columns()))).toEqual(floored);
  });
});
