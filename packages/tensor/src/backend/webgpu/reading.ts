import type { DataType } from "@tensorflow/tfjs-core";
import type { BufferPool } from "./buffer-pool.js";
import type { CommandRecorder } from "./command-recorder.js";
import type { Failures } from "./failures.js";
import { valuesOfWords } from "./host-values.js";
import type { WebGPUStatistics } from "./statistics.js";
import { bytesOf, keptElements, type Store } from "./store.js";
import { waitForDevice } from "./wait-for-device.js";

/** Reads buffers back. It copies them to a few buffers that the host can map and keeps those for the next reads. */
export class Reading {
  private free: GPUBuffer[] = [];

  constructor(
    private readonly device: GPUDevice,
    private readonly recorder: CommandRecorder,
    private readonly owner: { failures: Failures; statistics: WebGPUStatistics; pool: BufferPool },
  ) {}

  /** Submits the recorded commands and gives the values that a store's buffer then holds; the array is the caller's. */
  async read(
    buffer: GPUBuffer,
    store: Store,
    dtype: DataType,
  ): Promise<Float32Array | Int32Array | Uint8Array> {
    // Buffers are padded, and copied by words.
    const bytes = Math.ceil(bytesOf(store) / 4) * 4;
    const { failures, statistics } = this.owner;
    const subject = () => `reading a ${dtype} tensor [${store.shape}] of ${bytes} bytes`;
    failures.throwAt(subject);
    statistics.readbacks++;
    const staging = this.acquire(bytes);
    this.recorder.copy(buffer, staging, bytes);
    this.recorder.flush();
    try {
      await waitForDevice(staging.mapAsync(GPUMapMode.READ, 0, bytes));
    } catch (cause) {
      await failures.settle();
      failures.throwAt(subject);
      throw new Error(`dcr-webgpu: ${subject()} failed`, { cause });
    }
    await failures.settle();
    failures.throwAt(subject);
    const copy = copyOf(staging.getMappedRange(0, bytes), subject);
    staging.unmap();
    this.release(staging);
    const values = valuesOfWords(copy, dtype, store.half ? store.size : null);
    // Small tensors stay on the host too, as small uploads do: their values never change. The caller owns the other array.
    if (store.size <= keptElements) store.host = values.slice();
    return values;
  }

  private acquire(bytes: number): GPUBuffer {
    const index = this.free.findIndex((buffer) => buffer.size >= bytes);
    if (index >= 0) return this.free.splice(index, 1)[0];
    const size = Math.max(4096, Math.ceil(bytes / 16) * 16);
    this.device.pushErrorScope("out-of-memory");
    const buffer = this.device.createBuffer({
      size,
      usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
    });
    const { failures, statistics, pool } = this.owner;
    statistics.buffersCreated++;
    statistics.bytesAllocated += size;
    failures.watch(this.device.popErrorScope(), `allocating ${size} bytes for reading`, pool.inWords());
    return buffer;
  }

  private release(buffer: GPUBuffer): void {
    this.free.push(buffer);
    if (this.free.length > 4) this.free.shift()!.destroy();
  }

  dispose(): void {
    for (const buffer of this.free) buffer.destroy();
    this.free = [];
  }
}

function copyOf(bytes: ArrayBuffer, subject: () => string): ArrayBuffer {
  try {
    return bytes.slice(0);
  } catch (cause) {
    throw new Error(`dcr-webgpu: ${subject()} failed: the host has no room for them`, { cause });
  }
}
