import { describe, expect, it } from "vitest";
import { type Chosen, testParts, trainedMethods, tuningParts } from "./plan.js";

describe("the plan", () => {
  it("tries ten configurations of each method on two seeds, and none on test", () => {
    expect(tuningParts.map(({ methods }) => methods.length)).toEqual([6, 4, 6, 4, 6, 4, 6, 4]);
    for (const { split, seeds } of tuningParts) expect([split, seeds.length]).toEqual(["validation", 2]);
  });

  it("changes what a question is about and keeps the rest of a choice", () => {
    const own = { augment: { horizontalFlip: 0, verticalFlip: 0 }, enhance: { learningRate: 2e-3 } };
    const chosen = Object.fromEntries(
      trainedMethods.map((method) => [method, { name: `${method} best`, method, ...own }]),
    ) as unknown as Chosen;
    const parts = testParts(chosen);
    expect(parts.map(({ name, methods }) => [name, methods.length])).toEqual([
      ["question-1", 4],
      ["question-4", 5],
      ["question-3", 2],
      ["question-5", 3],
      ["question-2", 3],
      ["question-7", 4],
      ["trade-off", 20],
    ]);
    for (const { name, split, sets, seeds, methods, beside = [], primary } of parts) {
      expect([split, sets.length * seeds.length]).toEqual(["test", 9]);
      const names = [...beside, ...methods.map((method) => method.name)];
      expect(new Set(names).size, name).toBe(names.length);
      for (const shown of beside) expect(parts[0].methods.map((method) => method.name)).toContain(shown);
      for (const named of primary ? [primary.of, primary.minus] : []) expect(names).toContain(named);
    }
    expect(parts[6].methods.at(-1)).toEqual({
      ...own,
      name: "dcr 100 steps",
      method: "dcr",
      enhance: { learningRate: 2e-3, steps: 100 },
    });
    expect(parts[3].methods.map(({ name }) => name)).toEqual(["con flips", "naive flips", "dcr flips"]);
  });
});
