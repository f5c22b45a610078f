import "@tensorflow/tfjs-backend-cpu";
import { expectClose, expectNoLeaks, normalArray } from "@dcr-js/testing";
import { expect, it } from "vitest";
import { classScatter } from "./class-scatter.js";

it("is the papers' on rows that one can count", async () => {
  // Means 1, 11 and 6; each row is 1 from its mean, each mean 5 from the mean of all.
  const { inner, inter, explained } = await classScatter([[0], [2], [10], [12]], ["a", "a", "b", "b"]);
  expectClose([inner, inter, explained], [1, 25, 25 / 26], { relative: 1e-12 });
});

it("sums to the variance, far from the origin too", async () => {
  const data = normalArray(1, 40 * 3).map((value) => Math.fround(1000 + value));
  const mean = [0, 1, 2].map((j) => data.filter((_, at) => at % 3 === j).reduce((a, b) => a + b, 0) / 40);
  const variance = data.reduce((sum, value, at) => sum + (value - mean[at % 3]) ** 2, 0) / 40;
  await expectNoLeaks(async () => {
    const labels = Array.from({ length: 40 }, (_, i) => i % 4);
    const { inner, inter } = await classScatter({ data, shape: [40, 3] }, labels);
    expectClose([inner + inter], [variance], { relative: 1e-9 });
    await expect(classScatter([[1], [2]], [1])).rejects.toThrow(
      /classScatter: labels must hold 2 labels.*got 1/,
    );
  });
});
