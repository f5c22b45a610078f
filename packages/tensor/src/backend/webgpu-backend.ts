import type { BackendValues, DataId, DataType, TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { areHalves, float16ToFloat32Array } from "../io/half-floats.js";
import { BindGroupCache } from "./bind-group-cache.js";
import { BufferPool } from "./buffer-pool.js";
import { CommandRecorder } from "./command-recorder.js";
import { DispatchTimer, type KernelTime } from "./dispatch-timer.js";
import { Failures, LostTensor } from "./failures.js";
import type { FloatStorage } from "./float-storage.js";
import {
  emptyValues,
  everySecond,
  type HostValues,
  hostValues,
  valuesOfWords,
  wholeWords,
  wordsOfValues,
} from "./host-values.js";
import { lanesOf } from "./lanes.js";
import type { Binding, GridLaunch, Launch } from "./launch.js";
import { type Dealing, gridLaunchOf } from "./linear-launch.js";
import { piecesOf, type Range } from "./pieces.js";
import { PipelineCache } from "./pipeline-cache.js";
import { ReadingPool } from "./reading-pool.js";
import { noStatistics } from "./statistics.js";
import { bytesOf, knownValues, newStore, type Store } from "./store.js";

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
  /** Bytes that a kernel reaches of one tensor, unless it goes in pieces. Default, and at most, what the device binds. For tests. */
  maxBindingBytes?: number;
  /** Dispatches recorded before they are submitted without being asked. Default 64. */
  maxDispatches?: number;
  /** Makes each launch's WGSL anew and throws where it differs from the cached one. For tests. */
  checkKeys?: boolean;
  /** Stores as float16 what is written and holds no value that this would change. For tests. */
  exactHalves?: boolean;
}

/** Host copies of at most this many elements are kept after upload, so that scalars and indices can be read at once. */
const keptElements = 4096;

/** Bind groups kept for buffers that come together again: those of some training steps of a large model. */
const madeInWarm = "holds nothing: it was made inside warm()";

/** A kernel and its inputs. */
interface Running {
  kernelName: string;
  inputs: Record<string, TensorInfo | undefined>;
  /** What it made so far: no one else's, should it throw. */
  made: DataId[];
}

/**
 * A tfjs backend on a WebGPU device.
 *
 * It stores tensors as buffers, records the dispatches that kernels launch and submits them in batches. It knows no
 * kernel: those are registered beside it (`kernels/kernel-list.ts`) and call `launch`.
 *
 * WebGPU reports errors late: one that a batch, a shader or an allocation caused is thrown by the launches and reads that come
 * after the report, with the kernel and shapes it belongs to. Since tensors made meanwhile cannot be trusted, it is thrown by
 * all of them, and so is the loss of the device; a backend on a new device, as `initialize` opens it then, starts clean.
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
  private readonly bindGroups: BindGroupCache;
  private readonly staging: ReadingPool;
  private readonly dealing: Dealing;
  private readonly maxBindingBytes: number;
  private readonly maxDispatches: number;
  private readonly exactHalves: boolean;
  /** Whether there ever was a float16 tensor; launches look for them from then on. */
  private knowsHalves = false;
  /** How many calls of `float16Activations` are under way. */
  private halfScopes = 0;
  private readonly failures: Failures;
  /** What kernels launch while `warm` runs; it is not dispatched. */
  private warming: GridLaunch[] | null = null;
  private disposed = false;
  /** The kernel that runs, for messages. */
  private running: Running | null = null;
  /** The kernel that launched last, for messages on what was submitted. */
  private launched: Running | null = null;

  constructor(
    readonly device: GPUDevice,
    options: WebGPUBackendOptions = {},
  ) {
    super();
    this.isSoftware = options.isSoftware ?? false;
    this.lanes = this.isSoftware && (options.subgroups ?? true) ? lanesOf(device) : 0;
    this.dealing = {
      vector: this.isSoftware ? lanesOf(device) || 8 : 0,
      mostWorkgroups: device.limits.maxComputeWorkgroupsPerDimension,
    };
    this.data = new tf.DataStorage(this, tf.engine());
    this.failures = new Failures(device);
    const { maxStorageBufferBindingSize } = device.limits;
    this.maxBindingBytes = Math.min(
      options.maxBindingBytes ?? maxStorageBufferBindingSize,
      maxStorageBufferBindingSize,
    );
    this.pool = new BufferPool(device, options.maxFreeBytes ?? 512 * 2 ** 20, (error, bytes) => {
      this.countBuffer(bytes);
      this.failures.watch(error, `allocating ${bytes} bytes for ${this.subject()}`);
    });
    this.maxDispatches = options.maxDispatches ?? 64;
    this.exactHalves = options.exactHalves ?? false;
    this.recorder = new CommandRecorder(device, this.maxDispatches, (error) => {
      this.statistics.submits++;
      this.failures.watch(error, `a batch of commands that ends with ${subjectOf(this.launched)}`);
      this.pool.destroyEvicted();
    });
    this.pipelines = new PipelineCache(
      device,
      this.recorder.uniformLayout,
      options.checkKeys ?? false,
      (error) => {
        this.statistics.pipelinesCreated++;
        this.failures.watch(error, `the shader of ${this.subject()}`);
      },
    );
    this.bindGroups = new BindGroupCache(device, () => {
      this.statistics.bindGroupsCreated++;
    });
    this.staging = new ReadingPool(device, (error, bytes) => {
      this.countBuffer(bytes);
      this.failures.watch(error, `allocating ${bytes} bytes for reading`);
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
    const store = newStore(shape);
    if (dtype === "complex64") {
      const part = (first: 0 | 1) => this.write(everySecond(values as Float32Array, first), shape, "float32");
      this.data.set(dataId, { dtype, refCount, store, parts: { real: part(0), imag: part(1) } });
    } else {
      store.host = hostValues(values, dtype);
      store.half = this.exactHalves && dtype === "float32" && areHalves(store.host as Float32Array);
      this.knowsHalves ||= store.half;
      this.data.set(dataId, { dtype, refCount, store });
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
  output(shape: number[], dtype: DataType, storage: FloatStorage = "float32"): TensorInfo {
    const store = newStore(shape, storage === "float16");
    store.hollow = this.warming !== null;
    return this.made(store, dtype);
  }

  /** The same, of the dtype and storage of tensors whose elements it will hold: float16 where all of them are. */
  outputLike(sources: readonly TensorInfo[], shape: number[]): TensorInfo {
    const halves = sources.every(({ dataId }) => this.data.get(dataId).store.half);
    return this.output(shape, sources[0].dtype, halves ? "float16" : "float32");
  }

  /**
   * A new float32 tensor for the result of an op. It is stored as float16 inside `float16Activations`, gradients apart, and, given
   * `inputs`, only where the largest of them are.
   */
  activation(shape: number[], inputs?: readonly TensorInfo[]): TensorInfo {
    if (this.halfScopes === 0 || isBackward()) return this.output(shape, "float32");
    const floats = inputs?.filter(({ dtype }) => dtype === "float32") ?? [];
    const sizes = floats.map((x) => tf.util.sizeFromShape(x.shape));
    const deciding = floats.filter((_, i) => sizes[i] === Math.max(...sizes));
    const follows = deciding.length > 0 && deciding.every((x) => this.storageOf(x.dataId) === "float16");
    return this.output(shape, "float32", !inputs || follows ? "float16" : "float32");
  }

  /** A new float32 tensor, stored as float16, of these bits. */
  fromHalves(bits: Uint16Array<ArrayBuffer>, shape: number[]): TensorInfo {
    const store = newStore(shape, true);
    store.bits = wholeWords(bits);
    if (store.size <= keptElements) store.host = float16ToFloat32Array(bits);
    return this.made(store, "float32");
  }

  private made(store: Store, dtype: DataType): TensorInfo {
    const dataId = {};
    if (store.half) this.requireHalves();
    this.knowsHalves ||= store.half;
    this.data.set(dataId, { dtype, refCount: 1, store });
    this.running?.made.push(dataId);
    return { dataId, shape: [...store.shape], dtype };
  }

  storageOf(dataId: DataId): FloatStorage {
    return this.data.get(dataId).store.half ? "float16" : "float32";
  }

  /** See `float16Activations`. */
  float16Activations<T>(f: () => T): T {
    this.requireHalves();
    this.halfScopes++;
    try {
      return f();
    } finally {
      this.halfScopes--;
    }
  }

  private requireHalves(): void {
    if (this.device.features.has("shader-f16")) return;
    throw new Error("dcr-webgpu: this adapter lacks shader-f16, which float16 storage needs; use float32");
  }

  /** A new tensor of values that lie on the host. */
  fromHost(values: BackendValues, shape: number[], dtype: DataType): TensorInfo {
    const dataId = this.write(values, shape, dtype);
    this.running?.made.push(dataId);
    return { dataId, shape, dtype };
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
    this.running?.made.push(shared);
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
    const known = knownValues(store);
    if (known) return known;
    if (store.size === 0) return emptyValues(dtype);
    if (this.failures.first) {
      throw new LostTensor(
        `dcr-webgpu: the values of a ${dtype} tensor [${store.shape}] are lost: ${this.failures.first}; make it anew`,
      );
    }
    throw new Error(
      "dcr-webgpu: WebGPU cannot read a tensor synchronously; use `await tensor.data()` instead of `dataSync()` or `arraySync()`",
    );
  }

  override async read(dataId: DataId): Promise<BackendValues> {
    const { store, dtype, parts } = this.data.get(dataId);
    const { buffer, size } = store;
    const known = knownValues(store);
    if (known) return known;
    if (store.hollow) throw new Error(`dcr-webgpu: a tensor [${store.shape}] ${madeInWarm}`);
    if (parts) {
      const [real, imag] = await Promise.all([this.read(parts.real), this.read(parts.imag)]);
      return tf.backend_util.mergeRealAndImagArrays(real as Float32Array, imag as Float32Array);
    }
    if (!buffer || size === 0) return emptyValues(dtype, size);
    // Buffers are padded, and copied by words.
    const bytes = Math.ceil(bytesOf(store) / 4) * 4;
    const subject = () => `reading a ${dtype} tensor [${store.shape}] of ${bytes} bytes`;
    this.failures.throwAt(subject);
    this.statistics.readbacks++;
    const staging = this.staging.acquire(bytes);
    this.recorder.copy(buffer, staging, bytes);
    this.recorder.flush();
    try {
      await staging.mapAsync(GPUMapMode.READ, 0, bytes);
    } catch (cause) {
      await this.failures.settle();
      this.failures.throwAt(subject);
      throw new Error(`dcr-webgpu: ${subject()} failed`, { cause });
    }
    await this.failures.settle();
    this.failures.throwAt(subject);
    const copy = staging.getMappedRange(0, bytes).slice(0);
    staging.unmap();
    this.staging.release(staging);
    const values = valuesOfWords(copy, dtype, store.half ? size : null);
    // Small ones stay on the host too, as small uploads do; a tensor's values never change. A copy, as the caller owns the other.
    if (size <= keptElements) store.host = values.slice();
    return values;
  }

  // ---- launching

  /** Runs `kernel` with its name and inputs known to error messages. */
  within<T>(kernelName: string, inputs: Record<string, TensorInfo | undefined>, kernel: () => T): T {
    const before = this.running;
    const running: Running = { kernelName, inputs, made: [] };
    this.running = running;
    try {
      return kernel();
    } catch (error) {
      for (const dataId of running.made) this.disposeData(dataId, true);
      if (!(error instanceof LostTensor)) throw error;
      throw new Error(error.message.replace("dcr-webgpu:", `dcr-webgpu: ${this.subject()}:`), {
        cause: error,
      });
    } finally {
      this.running = before;
    }
  }

  /** Records one dispatch. Does nothing where there is nothing to compute. */
  launch(plain: Launch): void {
    this.failures.throwAt(() => this.subject(plain.name));
    const launch = this.knowsHalves ? this.withHalves(plain) : plain;
    const grid = this.grid(launch);
    if (grid.workgroups.some((count) => count === 0)) return;
    if (this.warming) {
      this.warming.push(grid);
      return;
    }
    const split = "count" in launch && launch.split === true;
    const buffers = [...launch.inputs, ...launch.outputs].map(({ info }) => this.buffer(info.dataId, split));
    for (const { info } of launch.outputs) this.data.get(info.dataId).store.host = null;
    if (split && buffers.some((buffer) => buffer.size > this.maxBindingBytes)) {
      for (const piece of piecesOf(launch, this.maxBindingBytes)) {
        this.dispatch(this.grid(piece.launch), buffers, piece.ranges);
      }
    } else {
      this.dispatch(grid, buffers);
    }
  }

  /** The launch with its float16 bindings said to be. */
  private withHalves(launch: Launch): Launch {
    const isHalf = ({ info }: Binding) => this.data.get(info.dataId).store.half;
    if (![...launch.inputs, ...launch.outputs].some(isHalf)) return launch;
    const marked = (bindings: readonly Binding[]) =>
      bindings.map((binding) => (isHalf(binding) ? { ...binding, half: true } : binding));
    return { ...launch, inputs: marked(launch.inputs), outputs: marked(launch.outputs) };
  }

  private dispatch(launch: GridLaunch, buffers: GPUBuffer[], ranges?: readonly Range[]): void {
    const { pipeline, groupLayout } = this.pipelines.get(launch);
    const group = ranges
      ? this.bindGroups.create(groupLayout, buffers, ranges)
      : this.bindGroups.get(groupLayout, launch.inputs.length, buffers);
    const kernel = this.running?.kernelName ?? launch.name;
    this.recorder.dispatch(kernel, pipeline, group, buffers, launch.uniforms ?? [], launch.workgroups);
    this.launched = this.running;
    this.statistics.dispatches++;
    this.statistics.dispatchesByKernel[kernel] = (this.statistics.dispatchesByKernel[kernel] ?? 0) + 1;
  }

  /** Submits what was recorded. */
  flush(): void {
    this.recorder.flush();
  }

  /** The launch as workgroups, of which the device has room for those along each axis. */
  private grid(launch: Launch): GridLaunch {
    if ("count" in launch) return gridLaunchOf(launch, this.dealing);
    const { mostWorkgroups } = this.dealing;
    if (launch.workgroups.some((count) => count > mostWorkgroups)) {
      throw new Error(
        `dcr-webgpu: ${this.subject(launch.name)} needs [${launch.workgroups}] workgroups; at most ${mostWorkgroups} fit along an axis`,
      );
    }
    return launch;
  }

  /** The device buffer of a tensor, uploaded or allocated now where it has none. */
  private buffer(dataId: DataId, split: boolean): GPUBuffer {
    const { dtype, store } = this.data.get(dataId);
    const bytes = bytesOf(store);
    const { maxBufferSize } = this.device.limits;
    const limit = split ? maxBufferSize : Math.min(this.maxBindingBytes, maxBufferSize);
    // Buffers are padded to 16 bytes, and so must still be within.
    const most = Math.floor(limit / 16) * 16;
    if (bytes > most) {
      const who = split ? "this device's buffers hold" : "a kernel that is not elementwise reaches";
      throw new Error(
        `dcr-webgpu: ${this.subject()} needs a tensor [${store.shape}] of ${bytes} bytes; ${who} at most ${most}`,
      );
    }
    if (store.buffer) return store.buffer;
    if (store.hollow) {
      throw new Error(`dcr-webgpu: ${this.subject()} needs a tensor [${store.shape}] that ${madeInWarm}`);
    }
    const { host, bits } = store;
    const words = bits ?? (host && wordsOfValues(host, dtype, store.half));
    store.buffer = this.pool.acquire(bytes, words ? this.recorder.busy : undefined);
    if (words && bytes > 0) {
      this.device.queue.writeBuffer(store.buffer, 0, words);
      this.statistics.uploads++;
      this.statistics.uploadedBytes += bytes;
      store.bits = null;
      if (store.size > keptElements) store.host = null;
    }
    return store.buffer;
  }

  private countBuffer(bytes: number): void {
    this.statistics.buffersCreated++;
    this.statistics.bytesAllocated += bytes;
  }

  // ---- errors

  private subject(name?: string): string {
    return subjectOf(this.running, name);
  }

  /** Submits what was recorded and waits for the device's reports on it: what stops this backend, or null while it works. */
  async check(): Promise<string | null> {
    this.flush();
    await Promise.race([this.device.lost, this.device.queue.onSubmittedWorkDone()]);
    await this.failures.settle();
    return this.failures.first;
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

  /** See `warm`. */
  async warm(f: () => unknown): Promise<number> {
    if (this.warming) throw new Error("warm: must not be called inside another");
    const launches: GridLaunch[] = [];
    this.warming = launches;
    try {
      tf.tidy(() => {
        if (tf.util.isPromise(f())) throw new Error("warm: f must not be async");
      });
    } finally {
      this.warming = null;
    }
    return this.pipelines.compile(launches);
  }

  /** See `profile`. */
  async profile(f: () => unknown): Promise<Record<string, KernelTime>> {
    if (!this.device.features.has("timestamp-query")) {
      throw new Error("profile: this device times no kernels; it lacks the feature timestamp-query");
    }
    if (this.recorder.timer) throw new Error("profile: another profile is under way");
    this.flush();
    const timer = new DispatchTimer(this.device, this.maxDispatches);
    this.recorder.timer = timer;
    let times = {};
    try {
      await f();
    } finally {
      this.flush();
      this.recorder.timer = null;
      times = await timer.finish();
    }
    await this.failures.settle();
    this.failures.throwAt(() => "profile");
    return times;
  }

  /** Frees the buffers; the device stays its owner's. */
  override dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.failures.fail("its backend was removed");
    this.recorder.dispose();
    this.pool.clear();
    this.pool.destroyEvicted();
    this.staging.clear();
    this.bindGroups.clear();
  }
}

/** Whether tfjs computes gradients. */
const isBackward = () => tf.engine().state.scopeStack.some(({ name }) => name === "backward");

/** A kernel with its inputs' shapes. */
function subjectOf(running: Running | null, otherwise = "a kernel"): string {
  if (!running) return otherwise;
  const shapes = Object.entries(running.inputs).map(([key, info]) => `${key} [${info?.shape ?? ""}]`);
  return shapes.length ? `${running.kernelName} of ${shapes.join(", ")}` : running.kernelName;
}
