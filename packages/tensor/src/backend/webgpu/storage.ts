import type { BackendValues, DataId, DataType, TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { areHalves, float16ToFloat32Array } from "../../shared/half-floats.js";
import { checkSizes } from "../check-sizes.js";
import { BufferPool } from "./buffer-pool.js";
import type { CommandRecorder } from "./command-recorder.js";
import { Failures } from "./failures.js";
import { everySecond, type HostValues, hostValues, wholeWords, wordsOfValues } from "./host-values.js";
import { type KernelContext, subjectOf } from "./kernel-context.js";
import { noStatistics } from "./statistics.js";
import { bytesOf, type FloatStorage, keptElements, madeInWarm, newStore, type Store } from "./store.js";
import { waitForDevice } from "./wait-for-device.js";

interface Data {
  dtype: DataType;
  refCount: number;
  store: Store;
  /** The real and imaginary float32 data of a complex64 tensor, whose own store is empty. */
  parts?: { real: DataId; imag: DataId };
}

export interface StorageOptions {
  /**
   * So many bytes of free buffers are kept for reuse in any case; more only while used and free ones together are within 1.2 times the most
   * that were in use at one time. Default 512 MiB.
   */
  maxFreeBytes?: number;
  /** Bytes of one tensor that a kernel can bind. Default and maximum: the device's limit. For tests. */
  maxBindingBytes?: number;
  /** Whether to store written tensors as float16 if that changes none of their values. For tests. */
  exactHalves?: boolean;
}

/**
 * The part of the backend that knows where the values of tensors lie: on the host, on the device or, until a kernel writes them,
 * nowhere.
 */
export abstract class TensorStorage extends tf.KernelBackend {
  readonly statistics = noStatistics();
  protected readonly failures: Failures;
  protected readonly data: tf.DataStorage<Data>;
  protected readonly pool: BufferPool;
  /** Bytes of one tensor that a kernel can bind. */
  readonly maxBindingBytes: number;
  private readonly exactHalves: boolean;
  /** Whether there ever was a float16 tensor; launches look for them from then on. */
  protected knowsHalves = false;
  /** How many calls of `float16Activations` are under way. */
  private halfScopes = 0;
  /** Names the buffers of commands that are not submitted yet. */
  protected abstract readonly recorder: Pick<CommandRecorder, "busy" | "flush">;
  /** Not null while `warm` runs: nothing will be written to what is made then. */
  protected abstract readonly warming: object | null;
  /** The kernel that runs. */
  protected abstract readonly context: KernelContext | null;

  constructor(
    readonly device: GPUDevice,
    options: StorageOptions,
  ) {
    super();
    this.data = new tf.DataStorage(this, tf.engine());
    this.failures = new Failures(device);
    const { maxStorageBufferBindingSize } = device.limits;
    this.maxBindingBytes = Math.min(
      options.maxBindingBytes ?? maxStorageBufferBindingSize,
      maxStorageBufferBindingSize,
    );
    this.pool = new BufferPool(device, {
      maxFreeBytes: options.maxFreeBytes ?? 512 * 2 ** 20,
      maxBindingBytes: this.maxBindingBytes,
      created: (error, bytes) => {
        this.statistics.buffersCreated++;
        this.statistics.bytesAllocated += bytes;
        const subject = `allocating ${bytes} bytes for ${subjectOf(this.context, "a tensor")}`;
        this.failures.watch(error, subject, this.pool.inWords());
      },
    });
    this.exactHalves = options.exactHalves ?? false;
  }

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
    checkSizes(shape);
    const store = newStore(shape, storage === "float16");
    store.unmaterialized = this.warming !== null;
    return this.made(store, dtype);
  }

  /** The same for a tensor that stays, such as a weight: its buffer has no spare bytes. */
  lastingOutput(shape: number[], dtype: DataType, storage: FloatStorage): TensorInfo {
    const info = this.output(shape, dtype, storage);
    this.data.get(info.dataId).store.isLasting = true;
    return info;
  }

  /** The same as `output`, of the dtype and storage of tensors whose elements it will hold: float16 where all of them are. */
  outputLike(sources: readonly TensorInfo[], shape: number[]): TensorInfo {
    const halves = sources.every(({ dataId }) => this.data.get(dataId).store.half);
    return this.output(shape, sources[0].dtype, halves ? "float16" : "float32");
  }

  /**
   * A new float32 tensor for the result of an op. It is stored as float16 inside `float16Activations`, gradients apart, and, given
   * `inputs`, only where the largest of them are.
   */
  activation(shape: number[], inputs?: readonly TensorInfo[]): TensorInfo {
    if (!this.storesActivationsAsFloat16) return this.output(shape, "float32");
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
    store.isLasting = true;
    if (store.size <= keptElements) store.host = float16ToFloat32Array(bits);
    return this.made(store, "float32");
  }

  private made(store: Store, dtype: DataType): TensorInfo {
    const dataId = {};
    if (store.half) this.requireHalves();
    this.knowsHalves ||= store.half;
    this.data.set(dataId, { dtype, refCount: 1, store });
    this.context?.made.push(dataId);
    return { dataId, shape: [...store.shape], dtype };
  }

  /** Bytes of an element on the device. */
  elementBytes(dataId: DataId): 2 | 4 {
    return this.data.get(dataId).store.half ? 2 : 4;
  }

  storageOf(dataId: DataId): FloatStorage {
    return this.data.get(dataId).store.half ? "float16" : "float32";
  }

  /** Whether `float16Activations` runs, and no gradient is being computed. */
  get storesActivationsAsFloat16(): boolean {
    return this.halfScopes > 0 && !isBackward();
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
    this.context?.made.push(dataId);
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
    this.context?.made.push(shared);
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

  /** The device buffer of a tensor, uploaded or allocated now where it has none. */
  protected buffer(dataId: DataId, split: boolean): GPUBuffer {
    const { dtype, store } = this.data.get(dataId);
    const bytes = bytesOf(store);
    const { maxBufferSize } = this.device.limits;
    const limit = split ? maxBufferSize : Math.min(this.maxBindingBytes, maxBufferSize);
    // Buffers are padded to 16 bytes, and so must still be within.
    const most = Math.floor(limit / 16) * 16;
    if (bytes > most) {
      const who = split ? "this device's buffers hold" : "a kernel that is not elementwise reaches";
      throw new Error(
        `dcr-webgpu: ${subjectOf(this.context)} needs a tensor [${store.shape}] of ${bytes} bytes; ${who} at most ${most}`,
      );
    }
    if (store.buffer) return store.buffer;
    if (store.unmaterialized) {
      throw new Error(
        `dcr-webgpu: ${subjectOf(this.context)} needs a tensor [${store.shape}] that ${madeInWarm}`,
      );
    }
    const { host, bits } = store;
    const words = bits ?? (host && wordsOfValues(host, dtype, store.half));
    store.buffer = this.pool.acquire(bytes, {
      exact: store.isLasting === true,
      ...(words && { busy: this.recorder.busy }),
    });
    if (words && bytes > 0) {
      this.device.queue.writeBuffer(store.buffer, 0, words);
      this.statistics.uploads++;
      this.statistics.uploadedBytes += bytes;
      store.bits = null;
      if (store.size > keptElements) store.host = null;
    }
    return store.buffer;
  }

  /** Sends the values of a tensor that stays, such as a weight, to the device now, rather than when a kernel first asks for them. */
  upload(dataId: DataId): void {
    this.data.get(dataId).store.isLasting = true;
    this.buffer(dataId, true);
  }

  /** Waits until the device has all that was sent to it, so that no copies of it wait on the host. */
  async uploaded(): Promise<void> {
    this.recorder.flush();
    await waitForDevice(this.device.queue.onSubmittedWorkDone());
  }

  /** Bytes in the buffers of live tensors, spare ones included, and in free buffers kept for reuse. */
  override memory(): { unreliable: boolean; numBytesInGPU: number; numBytesInPool: number } {
    return { unreliable: false, numBytesInGPU: this.pool.usedBytes, numBytesInPool: this.pool.freeBytes };
  }
}

/** Whether tfjs computes gradients, and not a forward pass that a backward pass repeats. */
const isBackward = () =>
  tf.engine().state.scopeStack.findLast(({ name }) => name === "forward" || name === "backward")?.name ===
  "backward";
