import "@tensorflow/tfjs-backend-cpu";
import { expectNoLeaks } from "@dcr-js/testing";
import { expect, it } from "vitest";
import { golden } from "../../test/golden.js";
import { linearProbe } from "./linear-probe.js";

const { features, labels, queries, queryLabels } = golden.knn;
const train = { features: features.slice(0, 40), labels: labels.slice(0, 40) };
const validation = { features: features.slice(40), labels: labels.slice(40) };
const test = { features: queries, labels: queryLabels };

it("chooses C by CLIP's sweep, and fits to training and validation rows", async () => {
  await expectNoLeaks(async () => {
    const { accuracy, classifier, sweep, predictions } = await linearProbe({ train, validation, test });
    const tried = sweep.map(({ C }) => Math.log10(C));
    for (const decade of [-6, -4, -2, 0, 2, 4, 6])
      expect(tried.some((c) => Math.abs(c - decade) < 1e-9)).toBe(true);
    // Four halvings add at most two each: 1, 1/2, 1/4 and 1/8 of a decade.
    expect(tried.length).toBeGreaterThan(7);
    expect(tried.length).toBeLessThanOrEqual(15);
    const best = Math.max(...sweep.map((one) => one.accuracy));
    expect(sweep.find((one) => one.accuracy === best)!.C).toBe(classifier.C);
    expect(accuracy).toBe(
      predictions.filter((label, i) => label === queryLabels[i]).length / queryLabels.length,
    );
    expect(accuracy).toBeGreaterThan(0.7);
    const all = { features, labels };
    const same = await linearProbe({ train: all, test, C: classifier.C });
    expect(same.predictions).toEqual(predictions);
    expect(same.sweep).toEqual([]);
  });
});

it("counts the mean per class", async () => {
  const rows = { features: [[0], [1], [10], [11]], labels: ["a", "a", "b", "b"] };
  const scores = await linearProbe({
    train: rows,
    test: { features: [[0], [1], [11], [9]], labels: ["a", "a", "a", "b"] },
    C: 10,
  });
  expect(scores.accuracy).toBe(3 / 4);
  expect(scores.meanPerClass).toBeCloseTo((2 / 3 + 1) / 2, 12);
});

it("refuses to guess where C comes from", async () => {
  await expectNoLeaks(async () => {
    await expect(linearProbe({ train, test })).rejects.toThrow(
      /expected either validation, to choose C, or C, got neither/,
    );
    await expect(linearProbe({ train, test, validation, C: 1 })).rejects.toThrow(/got both/);
    await expect(linearProbe({ train, test: 3 as never, C: 1 })).rejects.toThrow(
      /test must be \{ features, labels \}, got 3/,
    );
    await expect(linearProbe({ train, test: { ...test, labels: [1] }, C: 1 })).rejects.toThrow(
      /linearProbe: test.labels must hold 25/,
    );
    await expect(linearProbe({ train, test: { features: [[1]], labels: [1] }, C: 1 })).rejects.toThrow(
      /one width/,
    );
  });
});
