import { describe, expect, it } from "vitest";
import { type Chosen, testParts, trainedMethods, tuningParts } from "./plan.js";

describe("the plan", () => {
  it("tries twelve configurations of each method on two seeds, and none on test", () => {
    expect(tuningParts.map(({ methods }) => methods.length)).toEqual([12, 12, 12, 12]);
    for (const { split, seeds } of tuningParts) expect([split, seeds.length]).toEqual(["validation", 2]);
  });

  it("changes what a question is about and keeps the rest of a choice", () => {
    const own = { augment: { horizontalFlip: 0, verticalFlip: 0 }, enhance: { learningRate: 2e-3 } };
    const chosen = Object.fromEntries(
      trainedMethods.map((method) => [method, { name: `${method} best`, method, ...own }]),
    ) as unknown as Chosen;
    const parts = testParts(chosen);
    expect(parts.map(({ name, methods }) => [name, methods.length])).toEqual([
      ["question-1", 36],
      ["question-2", 6],
      ["question-3", 3],
      ["question-5", 6],
      ["question-4", 10],
      ["question-7", 8],
    ]);
    for (const { name, split, sets, seeds, methods, primary } of parts) {
      expect([split, sets.length * seeds.length]).toEqual(["test", 9]);
      const names = methods.map((method) => method.name);
      expect(new Set(names).size, name).toBe(names.length);
      for (const named of primary ? [primary.of, primary.minus] : []) expect(names).toContain(named);
    }
    expect(parts[0].methods.at(-1)).toEqual({
      ...own,
      name: "dcr rate 0.004 steps 300",
      method: "dcr",
      enhance: { learningRate: 0.004, steps: 300 },
    });
  });
});
