import { expect, it, vi } from "vitest";
import { checkReadingOptions } from "./reading-options.js";

it("has its documented defaults", () => {
  const { workers, onBroken, ...rest } = checkReadingOptions("f", {});
  expect(rest).toEqual({
    strict: false,
    maxBroken: 0.1,
    prefetch: 2,
    // Pillow refuses above twice its MAX_IMAGE_PIXELS, a quarter of a GiB in 3 channels.
    decode: { background: undefined, maxPixels: 2 * Math.floor(2 ** 30 / 4 / 3) },
  });
  expect(workers).toBeGreaterThanOrEqual(1);
  expect(workers).toBeLessThanOrEqual(8);
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  onBroken({ name: "a.png", reason: "is empty" });
  expect(warn).toHaveBeenCalledWith("f: skipped: a.png is empty");
  warn.mockRestore();
});
