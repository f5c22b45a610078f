import { describe, expect, it } from "vitest";
import { mapAhead } from "./map-ahead.js";

async function* count(n: number, onPull: (i: number) => void = () => {}) {
  for (let i = 0; i < n; i++) {
    onPull(i);
    yield i;
  }
}

const turns = async (n: number) => {
  for (let i = 0; i < n; i++) await Promise.resolve();
};

describe("mapAhead", () => {
  it("keeps the order, whatever ends first", async () => {
    const results: number[] = [];
    const square = async (i: number) => {
      await turns(50 - 5 * i);
      return i * i;
    };
    for await (const x of mapAhead(count(9), 4, square)) results.push(x);
    expect(results).toEqual([0, 1, 4, 9, 16, 25, 36, 49, 64]);
  });

  it("works ahead by its limit and no further", async () => {
    let pulled = 0;
    const mapped = mapAhead(
      count(100, () => pulled++),
      5,
      async (i) => i,
    );
    await mapped.next();
    await turns(200);
    expect(pulled).toBe(6);
    await mapped.next();
    await turns(200);
    expect(pulled).toBe(7);
  });

  it("throws an item's error in its place, and ends the items", async () => {
    let closed = false;
    async function* items() {
      try {
        yield* count(10);
      } finally {
        closed = true;
      }
    }
    const results: number[] = [];
    const run = async () => {
      for await (const x of mapAhead(items(), 3, async (i) =>
        i === 2 ? Promise.reject(new Error("two")) : i,
      )) {
        results.push(x);
      }
    };
    await expect(run()).rejects.toThrow("two");
    await turns(50);
    expect([results, closed]).toEqual([[0, 1], true]);
  });
});
