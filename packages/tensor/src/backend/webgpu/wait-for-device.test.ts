import { expect, it } from "vitest";
import { waitForDevice } from "./wait-for-device.js";

const after = (ms: number) => new Promise<string>((resolve) => setTimeout(() => resolve("done"), ms));

/** How often the event loop turns until `promise` settles. */
async function turnsUntil(promise: Promise<unknown>): Promise<number> {
  let turns = 0;
  let isOver = false;
  const turn = () => {
    turns++;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  await promise;
  isOver = true;
  return turns;
}

it("passes on results and errors", async () => {
  expect(await waitForDevice(after(1))).toBe("done");
  await expect(waitForDevice(Promise.reject(new Error("lost")))).rejects.toThrow("lost");
});

it("naps while it waits, several waits at once included, and not afterwards", async () => {
  const both = Promise.all([waitForDevice(after(100)), waitForDevice(after(200))]);
  // Of at most 1 ms each; the first ones are shorter. A loop that does not rest turns some 100,000 times.
  expect(await turnsUntil(both)).toBeLessThan(500);
  await after(5);
  // No nap lasts beyond the waits.
  expect(await turnsUntil(after(100))).toBeGreaterThan(500);
});
