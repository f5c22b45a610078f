import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { testBackends } from "../../test/test-backends.js";

const x = (...shape: number[]): tf.Tensor =>
  tf.reshape(tf.sub(tf.mod(tf.mul(tf.range(0, tf.util.sizeFromShape(shape)), 7), 11), 4), shape);

/** By a loop over all labels, as numpy.einsum is defined. */
async function definition(equation: string, operands: tf.Tensor[]) {
  const [inputs, output] = equation.replaceAll(" ", "").split("->") as [string, string];
  const terms = inputs.split(",");
  const sizes = new Map(
    terms.flatMap((term, i) =>
      Array.from(term, (label, axis) => [label, operands[i]!.shape[axis]!] as const),
    ),
  );
  const labels = [...sizes.keys()];
  const values = await Promise.all(operands.map((operand) => operand.data()));
  const shape = Array.from(output, (label) => sizes.get(label)!);
  const result = new Float64Array(tf.util.sizeFromShape(shape));
  const offset = (term: string, at: Map<string, number>) =>
    [...term].reduce((sum, label) => sum * sizes.get(label)! + at.get(label)!, 0);
  const count = labels.reduce((product, label) => product * sizes.get(label)!, 1);
  for (let i = 0; i < count; i++) {
    let rest = i;
    const at = new Map<string, number>();
    for (const label of labels) {
      at.set(label, rest % sizes.get(label)!);
      rest = Math.floor(rest / sizes.get(label)!);
    }
    result[offset(output, at)] += terms.reduce(
      (product, term, j) => product * values[j]![offset(term, at)]!,
      1,
    );
  }
  return { shape, result };
}

describe.each(await testBackends())("einsum on $name", ({ start }) => {
  beforeAll(start);

  it.each<[string, number[][]]>([
    [
      "ij,jk->ik",
      [
        [2, 3],
        [3, 4],
      ],
    ],
    [
      "ij, jk -> ki",
      [
        [2, 3],
        [3, 4],
      ],
    ],
    [
      "ij,jk->k",
      [
        [2, 3],
        [3, 4],
      ],
    ],
    ["ij,k->ki", [[2, 3], [4]]],
    ["ij,k->", [[2, 3], [4]]],
    [
      "bij,bkj->ibk",
      [
        [2, 3, 4],
        [2, 5, 4],
      ],
    ],
    [
      "bhqd,bhkd->bhqk",
      [
        [2, 2, 3, 4],
        [2, 2, 5, 4],
      ],
    ],
    [
      "abc,cda->bd",
      [
        [2, 3, 4],
        [4, 5, 2],
      ],
    ],
    [
      "ij,ij->",
      [
        [2, 3],
        [2, 3],
      ],
    ],
    [
      "ij,ji->ij",
      [
        [2, 3],
        [3, 2],
      ],
    ],
    ["i,j->ji", [[2], [3]]],
    [",ij->ji", [[], [2, 3]]],
    ["ij,->ij", [[2, 3], []]],
    ["ijk->kji", [[2, 3, 4]]],
    ["ijk->j", [[2, 3, 4]]],
    ["ij->", [[2, 3]]],
    ["ij->ij", [[2, 3]]],
    [
      "ij,jk->ik",
      [
        [2, 0],
        [0, 3],
      ],
    ],
    [
      "ij,jk->ik",
      [
        [0, 2],
        [2, 3],
      ],
    ],
  ])("%s of %j is the sum over all labels", async (equation, shapes) => {
    const operands = shapes.map((shape) => x(...shape));
    const { shape, result } = await definition(equation, operands);
    await expectNoLeaks(async () => {
      const y = tf.einsum(equation, ...operands);
      expect(y.shape).toEqual(shape);
      expectClose(await y.data(), result, { relative: 1e-5, absolute: 1e-5 });
      y.dispose();
    });
    const whole = operands.map((operand) => tf.cast(operand, "int32"));
    const y = tf.einsum(equation, ...whole);
    expect(y.dtype).toBe("int32");
    expectClose(await y.data(), result);
    // Its operands stay, also where it is one of them again.
    y.dispose();
    for (const [i, operand] of operands.entries()) expectClose(await operand.data(), await whole[i]!.data());
    tf.dispose([operands, whole]);
  });

  it("names what does not fit", () => {
    const refused: [string, number[][], RegExp][] = [
      ["ij->ij", [[2, 3, 4]], /the tensor of "ij" in "ij->ij" must have as many axes, got \[2,3,4\]/],
      ["ij->ii", [[2, 2]], /"ij->ii" has a label twice in its result/],
      [
        "ij,jk->ik",
        [
          [2, 3],
          [4, 2],
        ],
        /Expected dimension 3 at axis 0 of input shaped \[4,2\], but got dimension 4/,
      ],
      ["ii->i", [[2, 2]], /duplicate axes in input component ii/],
    ];
    for (const [equation, shapes, message] of refused) {
      expect(() => tf.tidy(() => tf.einsum(equation, ...shapes.map((shape) => x(...shape))))).toThrow(
        message,
      );
    }
  });
});
