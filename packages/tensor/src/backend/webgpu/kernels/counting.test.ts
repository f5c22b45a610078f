import { uniformArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { type Computation, describeAgainstCpu } from "../../../../test/against-cpu.js";
import { normalTensor } from "../../../../test/normal-tensor.js";

const integers = (low: number, high: number, ...shape: number[]): tf.Tensor1D => {
  const drawn: tf.Tensor = tf.tensor(uniformArray(3, tf.util.sizeFromShape(shape), low, high), shape);
  return tf.cast(tf.floor(drawn), "int32") as tf.Tensor1D;
};
const normal = (...shape: number[]) => normalTensor<tf.Rank.R1>(4, shape);
const none = () => tf.tensor1d([]);
const sorted = (rows: number, n: number) =>
  tf.reverse(tf.topk(tf.tensor(uniformArray(5, rows * n, 0, 20), [rows, n]), n).values, 1);

const cases: Record<string, Computation> = {
  bincount: () => tf.bincount(integers(0, 9, 50), none(), 7),
  "bincount with weights": () => tf.bincount(integers(0, 9, 50), normal(50), 12),
  "bincount with int32 weights": () => tf.bincount(integers(0, 5, 50), integers(0, 9, 50), 5),
  "denseBincount of one row": () => tf.denseBincount(integers(0, 9, 50), none(), 9),
  "denseBincount of rows": () => tf.denseBincount(integers(0, 9, 4, 13), none(), 9),
  "denseBincount of rows with weights": () => tf.denseBincount(integers(0, 9, 4, 13), normal(4, 13), 7),
  "denseBincount, whether": () => tf.denseBincount(integers(0, 9, 4, 13), none(), 9, true),
  searchSorted: () => [
    tf.searchSorted(sorted(1, 17), integers(-2, 25, 1, 40)),
    tf.searchSorted(sorted(3, 8), integers(-2, 25, 3, 5), "right"),
    tf.searchSorted(tf.tensor2d([[1, 2, 2, 2, 3]]), tf.tensor2d([[2, 0, 9]]), "left"),
    tf.searchSorted(tf.tensor2d([[1, 2, 2, 2, 3]]), tf.tensor2d([[2, 0, 9]]), "right"),
  ],
  "multinomial of certain events": () => [
    tf.multinomial(
      tf.tensor2d([
        [0, 1, 0],
        [1, 0, 0],
        [0, 0, 1],
      ]),
      20,
      1,
      true,
    ),
    tf.multinomial(
      tf.tensor2d([
        [0, 200, 0],
        [200, 0, 0],
        [0, 0, 200],
      ]),
      20,
      1,
    ),
  ],
  "multinomial's frequencies": () => {
    const draws = tf.multinomial(
      tf.tensor2d([
        [0.1, 0.3, 0.6],
        [0.5, 0.25, 0.25],
      ]),
      5000,
      7,
      true,
    );
    const frequencies = tf.mean(tf.cast(tf.oneHot(draws as tf.Tensor2D, 3), "float32"), 1);
    return tf.less(
      tf.abs(
        tf.sub(
          frequencies,
          tf.tensor2d([
            [0.1, 0.3, 0.6],
            [0.5, 0.25, 0.25],
          ]),
        ),
      ),
      0.03,
    );
  },
  "multinomial by its seed": () => {
    const draw = (seed: number) => tf.multinomial(tf.zeros([2, 100]) as tf.Tensor2D, 50, seed);
    return [tf.all(tf.equal(draw(3), draw(3))), tf.all(tf.equal(draw(3), draw(4)))];
  },
};

await describeAgainstCpu("counts, searches and draws", cases);
