import { waitForDevice } from "./wait-for-device.js";

/** The cost of a kernel. */
export interface KernelTime {
  dispatches: number;
  /** Milliseconds on the device, summed over dispatches. */
  gpuMs: number;
}

const timestampBytes = 8;

/** Times dispatches by timestamps at the start and end of their passes. A batch is read while the next one runs. */
export class DispatchTimer {
  private readonly queries: GPUQuerySet;
  private readonly resolved: GPUBuffer;
  /** The kernels of the batch being recorded. */
  private kernels: string[] = [];
  private readonly readings: Promise<void>[] = [];
  private readonly times = new Map<string, KernelTime>();
  private staging: GPUBuffer | null = null;

  /** @param maxDispatches in a batch. */
  constructor(
    private readonly device: GPUDevice,
    maxDispatches: number,
  ) {
    this.queries = device.createQuerySet({ type: "timestamp", count: 2 * maxDispatches });
    this.resolved = device.createBuffer({
      size: 2 * maxDispatches * timestampBytes,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    });
  }

  /** Where the pass of the next dispatch writes its timestamps. */
  next(kernel: string): GPUComputePassTimestampWrites {
    const first = 2 * this.kernels.length;
    this.kernels.push(kernel);
    return {
      querySet: this.queries,
      beginningOfPassWriteIndex: first,
      endOfPassWriteIndex: first + 1,
    };
  }

  /** Ends a batch's commands with a copy of its timestamps to a buffer that the host can read. */
  resolve(encoder: GPUCommandEncoder): void {
    const count = 2 * this.kernels.length;
    if (count === 0) return;
    const size = count * timestampBytes;
    this.staging = this.device.createBuffer({
      size,
      usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
    });
    encoder.resolveQuerySet(this.queries, 0, count, this.resolved, 0);
    encoder.copyBufferToBuffer(this.resolved, 0, this.staging, 0, size);
  }

  /** Reads the timestamps of the batch that was just submitted. */
  submitted(): void {
    const { staging, kernels } = this;
    if (!staging) return;
    this.staging = null;
    this.kernels = [];
    const add = () => {
      const stamps = new BigUint64Array(staging.getMappedRange());
      for (const [i, kernel] of kernels.entries()) {
        const time = this.times.get(kernel) ?? { dispatches: 0, gpuMs: 0 };
        time.dispatches++;
        time.gpuMs += Number(stamps[2 * i + 1] - stamps[2 * i]) / 1e6;
        this.times.set(kernel, time);
      }
    };
    // A lost device gives no times, and reports its loss itself.
    this.readings.push(
      staging
        .mapAsync(GPUMapMode.READ)
        .then(add, () => {})
        .finally(() => staging.destroy()),
    );
  }

  /** Waits for all timestamps and gives the times by kernel, the largest first. The timer cannot be used afterwards. */
  async finish(): Promise<Record<string, KernelTime>> {
    await waitForDevice(Promise.all(this.readings));
    this.queries.destroy();
    this.resolved.destroy();
    return Object.fromEntries([...this.times].sort(([, a], [, b]) => b.gpuMs - a.gpuMs));
  }
}
