import type { BackendValues, DataId, DataType, TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { BufferPool } from "./buffer-pool.js";
import { CommandRecorder } from "./command-recorder.js";
import { emptyValues, everySecond, type HostValues, hostValues, valuesOfWords } from "./host-values.js";
import { lanesOf } from "./lanes.js";
import { type Launch, linearWorkgroupSize, uniformsOf } from "./launch.js";
import { PipelineCache } from "./pipeline-cache.js";
import { ReadingPool } from "./reading-pool.js";
import { noStatistics } from "./statistics.js";

/** Where values lie. */
interface Store {
  size: number;
  /** On the device; made when a kernel first asks for it. */
  buffer: GPUBuffer | null;
  /** On the host, until uploaded; small ones stay. */
  host: HostValues | null;
  /** How many data have it. */
  users: number;
}

interface Data {
  dtype: DataType;
  refCount: number;
  store: Store;
  /** The float32 data that complex64 consists of; its own store is empty. */
  parts?: { real: DataId; imag: DataId };
}

export interface WebGPUBackendOptions {
  /** Whether kernels for CPU adapters may use subgroups where the device has them. Default true. */
  subgroups?: boolean;
  /** Whether the adapter computes on the CPU: kernels then keep to registers and use no workgroup memory. */
  isSoftware?: boolean;
  /** Bound on the bytes of free buffers kept for reuse. Default 512 MiB. */
  maxFreeBytes?: number;
  /** Dispatches recorded before they are submitted without being asked. Default 64. */
  maxDispatches?: number;
  /** Makes each launch's WGSL anew and throws where it differs from the cached one. For tests. */
  checkKeys?: boolean;
}

/** Host copies of at most this many elements are kept after upload, so that scalars and indices can be read at once. */
const keptElements = 4096;

/** Elements on the device are 32 bits wide; bool is stored as i32 0 or 1. */
const bytesPerElement = 4;

/** Bind groups kept for buffers that come together again: those of some training steps of a large model. */
const maxBindGroups = 16384;

/**
 * A tfjs backend on a WebGPU device.
 *
 * It stores tensors as buffers, records the dispatches that kernels launch and submits them in batches. It knows no
 * kernel: those are registered beside it (`kernels/kernel-list.ts`) and call `launch`.
 *
 * WebGPU reports errors late: one that a batch, a shader or an allocation caused is thrown by the launches and reads that come
 * after the report, with the kernel and shapes it belongs to. Since tensors made meanwhile cannot be trusted, it is thrown by
 * all of them, and so is the loss of the device; a backend registered anew starts clean.
 */
export class WebGPUBackend extends tf.KernelBackend {
  readonly isSoftware: boolean;
  /** Lanes of a subgroup on a CPU adapter, where all its subgroups have 4 or 8; else 0. */
  readonly lanes: 0 | 4 | 8;
  readonly statistics = noStatistics();
  private readonly data: tf.DataStorage<Data>;
  private readonly pool: BufferPool;
  private readonly recorder: CommandRecorder;
  private readonly pipelines: PipelineCache;
  private readonly bindGroups = new Map<string, GPUBindGroup>();
  private readonly bufferIds = new WeakMap<GPUBuffer, number>();
  private nextBufferId = 0;
  private readonly staging: ReadingPool;
  private readonly pendingErrors = new Set<Promise<void>>();
  private failure: Error | null = null;
  private disposed = false;
  /** The kernel that runs, for messages. */
  private running: { kernelName: string; inputs: Record<string, TensorInfo | undefined> } | null = null;

  constructor(
    readonly device: GPUDevice,
    options: WebGPUBackendOptions = {},
  ) {
    super();
    this.isSoftware = options.isSoftware ?? false;
    this.lanes = this.isSoftware && (options.subgroups ?? true) ? lanesOf(device) : 0;
    this.data = new tf.DataStorage(this, tf.engine());
    this.pool = new BufferPool(device, options.maxFreeBytes ?? 512 * 2 ** 20, (error, bytes) => {
      this.countBuffer(bytes);
      this.watch(error, `allocating ${bytes} bytes for`);
    });
    this.recorder = new CommandRecorder(device, options.maxDispatches ?? 64, (error) => {
      this.statistics.submits++;
      this.watch(error, "a batch of commands that ends with");
      this.pool.destroyEvicted();
    });
    this.pipelines = new PipelineCache(
      device,
      this.recorder.uniformLayout,
      options.checkKeys ?? false,
      (error) => {
        this.statistics.pipelinesCreated++;
        this.watch(error, "the shader of");
      },
    );
    this.staging = new ReadingPool(device, (bytes) => this.countBuffer(bytes));
    device.lost.then(({ reason, message }) => {
      if (!this.disposed)
        this.failure ??= new Error(`dcr-webgpu: the device was lost (${reason}): ${message}`);
    });
  }

  // ---- storage

  override numDataIds(): number {
    return this.data.numDataIds();
  }

  override write(values: BackendValues, shape: number[], dtype: DataType): DataId {
    const dataId = {};
    this.move(dataId, values, shape, dtype, 1);
    return dataId;
  }

  override move(
    dataId: DataId,
    values: BackendValues,
    shape: number[],
    dtype: DataType,
    refCount: number,
  ): void {
    const store = { size: tf.util.sizeFromShape(shape), buffer: null, host: null, users: 1 };
    if (dtype === "complex64") {
      const part = (first: 0 | 1) => this.write(everySecond(values as Float32Array, first), shape, "float32");
      this.data.set(dataId, { dtype, refCount, store, parts: { real: part(0), imag: part(1) } });
    } else {
      this.data.set(dataId, { dtype, refCount, store: { ...store, host: hostValues(values, dtype) } });
    }
  }

  override refCount(dataId: DataId): number {
    return this.data.has(dataId) ? this.data.get(dataId).refCount : 0;
  }

  override incRef(dataId: DataId): void {
    this.data.get(dataId).refCount++;
  }

  override disposeData(dataId: DataId, force = false): boolean {
    if (!this.data.has(dataId)) return true;
    const data = this.data.get(dataId);
    data.refCount--;
    if (!force && data.refCount > 0) return false;
    if (--data.store.users === 0 && data.store.buffer) this.pool.release(data.store.buffer);
    if (data.parts) {
      this.disposeData(data.parts.real);
      this.disposeData(data.parts.imag);
    }
    this.data.delete(dataId);
    return true;
  }

  /** A new tensor whose values a kernel will write. */
  output(shape: number[], dtype: DataType): TensorInfo {
    const dataId = {};
    const store = { size: tf.util.sizeFromShape(shape), buffer: null, host: null, users: 1 };
    this.data.set(dataId, { dtype, refCount: 1, store });
    return { dataId, shape, dtype };
  }

  /** A new tensor of values that lie on the host. */
  fromHost(values: BackendValues, shape: number[], dtype: DataType): TensorInfo {
    return { dataId: this.write(values, shape, dtype), shape, dtype };
  }

  /** The same values under another shape or, between int32 and bool, type; shares the buffer. */
  alias(info: TensorInfo, shape: number[], dtype: DataType = info.dtype): TensorInfo {
    this.incRef(info.dataId);
    return { dataId: info.dataId, shape, dtype };
  }

  /**
   * The same values as other data, which lives and dies by itself; shares the buffer. For the parts of complex tensors, whose
   * end tfjs does not see: of data it shares with them it would lose count.
   */
  share({ dataId, shape, dtype }: TensorInfo): TensorInfo {
    const { store } = this.data.get(dataId);
    store.users++;
    const shared = {};
    this.data.set(shared, { dtype, refCount: 1, store });
    return { dataId: shared, shape, dtype };
  }

  /** A complex64 tensor of two fresh float32 ones of equal shape, which become its own. */
  complex(real: TensorInfo, imag: TensorInfo): TensorInfo {
    const info = this.output(real.shape, "complex64");
    this.data.get(info.dataId).parts = { real: real.dataId, imag: imag.dataId };
    return info;
  }

  /** The real or the imaginary part of a complex64 tensor, under the tensor's shape; it stays the tensor's own. */
  part({ dataId, shape }: TensorInfo, which: "real" | "imag"): TensorInfo {
    return { dataId: this.data.get(dataId).parts![which], shape, dtype: "float32" };
  }

  /** Values that lie on the host, or null. */
  hostValues(dataId: DataId): HostValues | null {
    return this.data.get(dataId).store.host;
  }

  /** Disposes kernels' intermediate tensors. */
  disposeAll(...infos: TensorInfo[]): void {
    for (const { dataId } of infos) this.disposeData(dataId);
  }

  override readSync(dataId: DataId): BackendValues {
    const { store, dtype, parts } = this.data.get(dataId);
    if (parts) {
      const [real, imag] = [parts.real, parts.imag].map((part) => this.readSync(part) as Float32Array);
      return tf.backend_util.mergeRealAndImagArrays(real, imag);
    }
    if (store.host) return store.host;
    if (store.size === 0) return emptyValues(dtype);
    throw new Error(
      "dcr-webgpu: WebGPU cannot read a tensor synchronously; use `await tensor.data()` instead of `dataSync()` or `arraySync()`",
    );
  }

  override async read(dataId: DataId): Promise<BackendValues> {
    const { store, dtype, parts } = this.data.get(dataId);
    const { host, buffer, size } = store;
    if (host) return host;
    if (parts) {
      const [real, imag] = await Promise.all([this.read(parts.real), this.read(parts.imag)]);
      return tf.backend_util.mergeRealAndImagArrays(real as Float32Array, imag as Float32Array);
    }
    if (!buffer || size === 0) return emptyValues(dtype, size);
    this.throwFailure();
    const bytes = size * bytesPerElement;
    this.statistics.readbacks++;
    const staging = this.staging.acquire(bytes);
    this.recorder.copy(buffer, staging, bytes);
    this.recorder.flush();
    try {
      await staging.mapAsync(GPUMapMode.READ, 0, bytes);
    } catch (cause) {
      await this.settle();
      throw new Error("dcr-webgpu: reading a tensor failed", { cause });
    }
    await this.settle();
    const copy = staging.getMappedRange(0, bytes).slice(0);
    staging.unmap();
    this.staging.release(staging);
    const values = valuesOfWords(copy, dtype);
    // Small ones stay on the host too, as small uploads do; a tensor's values never change. A copy, as the caller owns the other.
    if (size <= keptElements) store.host = values.slice();
    return values;
  }

  // ---- launching

  /** Runs `kernel` with its name and inputs known to error messages. */
  within<T>(kernelName: string, inputs: Record<string, TensorInfo | undefined>, kernel: () => T): T {
    const before = this.running;
    this.running = { kernelName, inputs };
    try {
      return kernel();
    } finally {
      this.running = before;
    }
  }

  /** Records one dispatch. Does nothing where there is nothing to compute. */
  launch(launch: Launch): void {
    this.throwFailure();
    const workgroups = this.grid(launch);
    if (workgroups.some((count) => count === 0)) return;
    const buffers = [...launch.inputs, ...launch.outputs].map(({ info }) => this.buffer(info.dataId));
    for (const { info } of launch.outputs) this.data.get(info.dataId).store.host = null;
    const { pipeline, groupLayout } = this.pipelines.get(launch);
    const group = this.bindGroup(groupLayout, launch.inputs.length, buffers);
    this.recorder.dispatch(pipeline, group, buffers, uniformsOf(launch), workgroups);
    const kernel = this.running?.kernelName ?? launch.name;
    this.statistics.dispatches++;
    this.statistics.dispatchesByKernel[kernel] = (this.statistics.dispatchesByKernel[kernel] ?? 0) + 1;
  }

  /** Submits what was recorded. */
  flush(): void {
    this.recorder.flush();
  }

  private grid(launch: Launch): readonly [number, number, number] {
    const most = this.device.limits.maxComputeWorkgroupsPerDimension;
    if ("count" in launch) {
      const groups = Math.ceil(launch.count / linearWorkgroupSize(launch.count));
      const rows = Math.ceil(groups / most);
      return rows === 0 ? [0, 0, 0] : [Math.ceil(groups / rows), rows, 1];
    }
    if (launch.workgroups.some((count) => count > most)) {
      throw new Error(
        `${this.subject(launch.name)} needs [${launch.workgroups}] workgroups; at most ${most} fit along an axis`,
      );
    }
    return launch.workgroups;
  }

  /** The device buffer of a tensor, uploaded or allocated now where it has none. */
  private buffer(dataId: DataId): GPUBuffer {
    const { dtype, store } = this.data.get(dataId);
    if (store.buffer) return store.buffer;
    const bytes = store.size * bytesPerElement;
    const most = Math.min(this.device.limits.maxStorageBufferBindingSize, this.device.limits.maxBufferSize);
    if (bytes > most) {
      throw new Error(
        `${this.subject()} needs a tensor of ${bytes} bytes; this device's kernels reach at most ${most}`,
      );
    }
    const { host } = store;
    store.buffer = this.pool.acquire(bytes, host ? this.recorder.busy : undefined);
    if (host && bytes > 0) {
      const words =
        dtype === "bool" ? Int32Array.from(host as Uint8Array) : (host as Float32Array<ArrayBuffer>);
      this.device.queue.writeBuffer(store.buffer, 0, words);
      this.statistics.uploads++;
      this.statistics.uploadedBytes += bytes;
      if (store.size > keptElements) store.host = null;
    }
    return store.buffer;
  }

  private bindGroup(layout: GPUBindGroupLayout, inputs: number, buffers: GPUBuffer[]): GPUBindGroup {
    let key = `${inputs}`;
    for (const buffer of buffers) {
      let id = this.bufferIds.get(buffer);
      if (id === undefined) {
        id = this.nextBufferId++;
        this.bufferIds.set(buffer, id);
      }
      key += `,${id}`;
    }
    let group = this.bindGroups.get(key);
    if (!group) {
      if (this.bindGroups.size >= maxBindGroups) this.bindGroups.clear();
      group = this.device.createBindGroup({
        layout,
        entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
      });
      this.bindGroups.set(key, group);
      this.statistics.bindGroupsCreated++;
    }
    return group;
  }

  private countBuffer(bytes: number): void {
    this.statistics.buffersCreated++;
    this.statistics.bytesAllocated += bytes;
  }

  // ---- errors

  private subject(name?: string): string {
    if (!this.running) return `dcr-webgpu: ${name ?? "a kernel"}`;
    const { kernelName, inputs } = this.running;
    const shapes = Object.entries(inputs).map(([key, info]) => `${key} [${info?.shape ?? ""}]`);
    return `dcr-webgpu: ${kernelName} of ${shapes.join(", ")}`;
  }

  /** Keeps the first error that WebGPU reports, with the kernel that now runs. */
  private watch(error: Promise<GPUError | null>, what: string): void {
    const subject = this.subject().replace("dcr-webgpu: ", "");
    const pending = error.then(
      (found) => {
        this.pendingErrors.delete(pending);
        if (found) this.failure ??= new Error(`dcr-webgpu: ${what} ${subject} failed: ${found.message}`);
      },
      () => {
        this.pendingErrors.delete(pending);
      },
    );
    this.pendingErrors.add(pending);
  }

  /** Waits for the reports of everything done so far, and throws the first error. */
  private async settle(): Promise<void> {
    await Promise.all(this.pendingErrors);
    this.throwFailure();
  }

  private throwFailure(): void {
    if (this.failure) throw this.failure;
  }

  // ---- the rest of tfjs's interface

  /** Bytes in the buffers of live tensors, and in free buffers kept for reuse; both exact, padding to 16 included. */
  override memory(): { unreliable: boolean; numBytesInGPU: number; numBytesInPool: number } {
    return { unreliable: false, numBytesInGPU: this.pool.usedBytes, numBytesInPool: this.pool.freeBytes };
  }

  override floatPrecision(): 32 {
    return 32;
  }

  override timerAvailable(): boolean {
    return true;
  }

  /** Wall time until the work of `f`, and what was submitted before it, is done. tfjs expects `f` to run at once. */
  override time(f: () => void): Promise<{ kernelMs: number }> {
    this.flush();
    const start = performance.now();
    f();
    this.flush();
    return this.device.queue.onSubmittedWorkDone().then(() => ({ kernelMs: performance.now() - start }));
  }

  /** Frees the buffers; the device stays its owner's. */
  override dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.recorder.dispose();
    this.pool.clear();
    this.pool.destroyEvicted();
    this.staging.clear();
    this.bindGroups.clear();
  }
}
