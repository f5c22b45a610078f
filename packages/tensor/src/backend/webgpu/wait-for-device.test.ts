import { expect, it, vi } from "vitest";
import { waitForDevice } from "./wait-for-device.js";

const after = (ms: number) => new Promise<string>((resolve) => setTimeout(() => resolve("done"), ms));

it("passes on results and errors", async () => {
  expect(await waitForDevice(after(1))).toBe("done");
  await expect(waitForDevice(Promise.reject(new Error("lost")))).rejects.toThrow("lost");
});

it("naps of at most a millisecond at each turn of the event loop while it waits, and none afterwards", async () => {
  const naps = vi.spyOn(Atomics, "wait");
  let turns = 0;
  let isOver = false;
  const turn = () => {
    turns++;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  // Two waits at once share the naps.
  await Promise.all([waitForDevice(after(50)), waitForDevice(after(100))]);
  isOver = true;
  expect(Math.abs(turns - naps.mock.calls.length)).toBeLessThanOrEqual(2);
  for (const [, , , ms] of naps.mock.calls) expect(ms).toBeLessThanOrEqual(1);
  await after(1);
  const before = naps.mock.calls.length;
  await after(20);
  expect(naps).toHaveBeenCalledTimes(before);
});
