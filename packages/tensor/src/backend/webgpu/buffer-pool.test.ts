import { describe, expect, it } from "vitest";
import { webgpuDevice } from "../../../test/test-backends.js";
import { BufferPool } from "./buffer-pool.js";

const { device } = await webgpuDevice();

describe.runIf(device)("BufferPool", () => {
  it("takes free buffers in the order of their making, but for busy ones, and gives up the last", () => {
    const pool = new BufferPool(device!.device, 64, () => {});
    const [a, b, c, d] = Array.from({ length: 4 }, () => pool.acquire(16));
    for (const buffer of [c, a, d, b]) pool.release(buffer);
    expect(pool.acquire(16, new Set([a, b]))).toBe(c);
    expect(pool.acquire(16)).toBe(a);
    expect(pool.acquire(16, new Set([b, d]))).not.toBe(b);
    pool.release(a);
    pool.release(c);
    expect(pool).toMatchObject({ usedBytes: 16, freeBytes: 64 });
    // Another size is over the bound: of the first one, the last made goes.
    pool.release(pool.acquire(32));
    expect(pool.freeBytes).toBe(64);
    expect(pool.acquire(16)).toBe(a);
    expect(pool.acquire(16)).toBe(b);
    pool.clear();
    pool.destroyEvicted();
  });

  it("makes a loop's buffers once while the host runs ahead, and gives up those beyond the bound when it waits", () => {
    let made = 0;
    const pool = new BufferPool(device!.device, 64, () => {
      made++;
    });
    const sizes = [160, 320, 480];
    for (let round = 0; round < 3; round++) {
      for (const buffer of sizes.map((size) => pool.acquire(size))) pool.release(buffer);
    }
    expect(made).toBe(3);
    expect(pool).toMatchObject({ usedBytes: 0, freeBytes: 960 });
    // Other sizes take the place of those; together they are never more than were in use at one time.
    const held = [640, 320].map((size) => pool.acquire(size));
    expect(pool.usedBytes + pool.freeBytes).toBeLessThanOrEqual(960 + 64);
    for (const buffer of held) pool.release(buffer);
    pool.settled();
    expect(pool.freeBytes).toBeLessThanOrEqual(64);
    pool.clear();
    pool.destroyEvicted();
  });
});
