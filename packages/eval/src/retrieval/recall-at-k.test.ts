import "@tensorflow/tfjs-backend-cpu";
import { expectNoLeaks } from "@dcr-js/testing";
import { expect, it } from "vitest";
import { recallAtK } from "./recall-at-k.js";

it("counts the right candidate's rank, ties against it", async () => {
  const queries = [
    [1, 0],
    [0, 1],
  ];
  const candidates = [
    [1, 0],
    [2, 0],
    [0, 1],
  ];
  await expectNoLeaks(async () => {
    const recall = await recallAtK(queries, candidates, (i, j) => (i === 0 ? j === 0 : j === 2), [1, 2]);
    // Query 0's own candidate ties with candidate 1, which counts as above it.
    expect(recall).toEqual({ 1: 0.5, 2: 1 });
  });
});

it("takes the best of several right candidates, and counts only wrong ones above it", async () => {
  // By similarity to (1, 0): candidates 3 > 1 > 0 > 2; 1 and 0 are right, so one wrong one stands above.
  const candidates = [
    [1, 0.5],
    [1, 0.2],
    [0, 1],
    [1, 0],
  ];
  expect(await recallAtK([[1, 0]], candidates, (_, j) => j < 2, [1, 2, 9])).toEqual({ 1: 0, 2: 1, 9: 1 });
});

it("calls parallel candidates a tie, whatever rounding makes of them", async () => {
  // Multiples of one direction: their cosines differ in the last bits, in favour of some.
  const direction = [0.3, -1.7, 2.9, 0.11];
  const candidates = Array.from({ length: 50 }, (_, i) => direction.map((value) => value * 1.37 ** (i - 25)));
  const query = [1.1, 0.2, 0.7, -0.4];
  for (let own = 0; own < 50; own += 7) {
    expect(await recallAtK([query], candidates, (_, j) => j === own, [49, 50])).toEqual({ 49: 0, 50: 1 });
  }
  expect(
    await recallAtK(
      [query],
      [
        [1, 0, 0, 0],
        [1, 1e-3, 0, 0],
      ],
      (_, j) => j === 1,
      [1],
      { tieTolerance: 1e-3 },
    ),
  ).toEqual({ 1: 0 });
  expect(
    await recallAtK(
      [query],
      [
        [1, 0, 0, 0],
        [1, 1e-3, 0, 0],
      ],
      (_, j) => j === 1,
      [1],
    ),
  ).toEqual({ 1: 1 });
});

it("normalises candidates of any length", async () => {
  const queries = [
    [1, 0.2],
    [0.2, 1],
  ];
  for (const length of [1e-20, 1e-8, 1e-6, 1e20]) {
    const candidates = [
      [length, 0],
      [0, 1e-6],
    ];
    expect(await recallAtK(queries, candidates, (i, j) => i === j, [1])).toEqual({ 1: 1 });
  }
});

it("refuses what cannot be ranked", async () => {
  await expectNoLeaks(async () => {
    const two = [[1], [2]];
    const same = (i: number, j: number) => i === j;
    await expect(recallAtK(two, two, () => false, [1])).rejects.toThrow(
      "recallAtK: query 0 has no right candidate",
    );
    await expect(recallAtK(two, [[1, 2]], same, [1])).rejects.toThrow(
      /one width, got queries \[2,1\], candidates \[1,2\]/,
    );
    await expect(recallAtK([[Number.NaN]], two, same, [1])).rejects.toThrow(
      "recallAtK: queries must be finite, row 0 is not",
    );
    await expect(recallAtK(two, two, same, [0])).rejects.toThrow(
      /recallAtK: ks\[0\] must be an integer, at least 1, got 0/,
    );
    await expect(recallAtK(two, two, same, [])).rejects.toThrow(/ks must be a list of at least one rank/);
    await expect(recallAtK([], two, same, [1])).rejects.toThrow(/queries must be \[n, dim\]/);
    await expect(recallAtK(two, two, [[0]] as never, [1])).rejects.toThrow(/isRight must be a function/);
    // An async function's promise is true, whatever it promises.
    await expect(recallAtK(two, two, (async () => false) as never, [1])).rejects.toThrow(
      "recallAtK: isRight must return true or false, got a Promise",
    );
    await expect(recallAtK(two, two, (() => 1) as never, [1])).rejects.toThrow("true or false, got 1");
    await expect(recallAtK(two, two, same, [1], { tieTolerance: -1 })).rejects.toThrow(
      /tieTolerance must be/,
    );
  });
});
