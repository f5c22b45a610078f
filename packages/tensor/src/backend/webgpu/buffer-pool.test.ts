import { describe, expect, it, vi } from "vitest";
import { webgpuDevice } from "../../../test/test-backends.js";
import { BufferPool } from "./buffer-pool.js";

const { device } = await webgpuDevice();
const KiB = 2 ** 10;

/** A pool, and the sizes of the buffers that it made. */
function newPool(maxFreeBytes: number, maxBindingBytes = 2 ** 27) {
  const made: number[] = [];
  const created = (_: unknown, bytes: number) => void made.push(bytes);
  return { pool: new BufferPool(device!.device, { maxFreeBytes, maxBindingBytes, created }), made };
}

describe.runIf(device)("BufferPool", () => {
  it("takes free buffers in the order of their making, but for busy ones, and gives up the last", () => {
    const { pool } = newPool(64);
    const [a, b, c, d] = Array.from({ length: 4 }, () => pool.acquire(16));
    for (const buffer of [c, a, d, b]) pool.release(buffer);
    expect(pool.acquire(16, { busy: new Set([a, b]) })).toBe(c);
    expect(pool.acquire(16)).toBe(a);
    expect(pool.acquire(16, { busy: new Set([b, d]) })).not.toBe(b);
    pool.release(a);
    pool.release(c);
    expect(pool).toMatchObject({ usedBytes: 16, freeBytes: 64 });
    // Another size is over the bound: of the first one, the last made goes.
    pool.release(pool.acquire(32));
    expect(pool.freeBytes).toBe(64);
    expect(pool.acquire(16)).toBe(a);
    expect(pool.acquire(16)).toBe(b);
    pool.destroy();
  });

  it("serves the sizes of one phase with the buffers of another, and makes none from the second round on", () => {
    const { pool, made } = newPool(0);
    // 257 tokens, images of 28 x 28, and half the width: 4 bytes each.
    const phases = [257 * 1024, 784 * 320, 257 * 1024, 196 * 640].map((size) => 4 * size);
    let after = 0;
    for (let round = 0; round < 4; round++) {
      for (const size of phases) {
        const held = Array.from({ length: 8 }, () => pool.acquire(size));
        expect(new Set(held).size).toBe(8);
        for (const buffer of held) {
          expect(buffer.size).toBeGreaterThanOrEqual(size);
          expect(buffer.size).toBeLessThanOrEqual(2.4 * size);
          pool.release(buffer);
        }
        // Free and used buffers are never more than 1.2 times the most in use.
        expect(pool.usedBytes + pool.freeBytes).toBeLessThanOrEqual(1.2 * 8 * Math.max(...made));
      }
      if (round === 0) after = made.length;
    }
    expect(made.length).toBe(after);
    expect(made.reduce((sum, size) => sum + size, 0)).toBeLessThan(1.2 * 8 * 4 * 257 * 1024);
    pool.destroy();
  });

  it("rounds the size up by less than a fifth and a quarter, except small and exact ones", () => {
    const { pool } = newPool(0);
    const sizeOf = (bytes: number, exact = false) => pool.acquire(bytes, { exact }).size;
    expect(sizeOf(1)).toBe(16);
    expect(sizeOf(64 * KiB - 20)).toBe(64 * KiB - 16);
    for (const size of [65, 68, 100, 128, 129, 136, 160, 3000, 4096].map((kib) => kib * KiB)) {
      expect(sizeOf(size, true)).toBe(size);
      expect(sizeOf(size)).toBeGreaterThanOrEqual(size);
      expect(sizeOf(size)).toBeLessThan(1.2 * size);
    }
    // Slightly above a power of two, and slightly below.
    expect(sizeOf(4 * 257 * 256)).toBe(sizeOf(4 * 250 * 256));
    pool.destroy();
  });

  it("keeps buffers that a kernel can bind within its limit", () => {
    const { pool } = newPool(2 ** 30, 128 * KiB);
    const large = pool.acquire(129 * KiB);
    expect(large.size).toBe(129 * KiB);
    pool.release(large);
    const fitting = pool.acquire(127 * KiB);
    expect(fitting.size).toBe(128 * KiB);
    pool.release(fitting);
    expect(pool.acquire(66 * KiB)).toBe(fitting);
    pool.destroy();
  });

  it("evicts the size that was released longest ago when a new one would pass the bound", () => {
    const { pool, made } = newPool(0);
    const [a, b] = [512 * KiB, 2048 * KiB].map((size) => pool.acquire(size, { exact: true }));
    pool.release(b);
    pool.release(a);
    const c = pool.acquire(1024 * KiB, { exact: true });
    // 1024 in use and 512 free are within 1.2 x 2560; with the 2048 they were not.
    expect(pool).toMatchObject({ usedBytes: c.size, freeBytes: a.size });
    expect(pool.acquire(512 * KiB, { exact: true })).toBe(a);
    expect(made.length).toBe(3);
    pool.destroy();
  });

  it("destroys the buffers in use too, once, and takes none back then", () => {
    const { pool } = newPool(64);
    const [used, free] = [pool.acquire(16), pool.acquire(32)];
    pool.release(free);
    const destroyed = [used, free].map((buffer) => vi.spyOn(buffer, "destroy"));
    pool.destroy();
    pool.release(used);
    pool.destroy();
    for (const each of destroyed) expect(each).toHaveBeenCalledOnce();
    expect(pool).toMatchObject({ usedBytes: 0, freeBytes: 0 });
  });
});
