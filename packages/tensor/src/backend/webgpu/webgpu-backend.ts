import type { BackendValues, DataId, TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { BindGroupCache } from "./bind-group-cache.js";
import { CommandRecorder } from "./command-recorder.js";
import { DispatchTimer, type KernelTime } from "./dispatch-timer.js";
import { LostTensor } from "./failures.js";
import { foldWorkgroups } from "./folded-launch.js";
import { emptyValues } from "./host-values.js";
import { type KernelContext, subjectOf } from "./kernel-context.js";
import type { Binding, GridLaunch, Launch } from "./launch.js";
import { type AdapterTraits, gridLaunchOf } from "./linear-launch.js";
import { piecesOf, type Range } from "./pieces.js";
import { PipelineCache } from "./pipeline-cache.js";
import { Reading } from "./reading.js";
import { type StorageOptions, TensorStorage } from "./storage.js";
import { knownValues, madeInWarm } from "./store.js";
import { subgroupSizeOf } from "./subgroup-size.js";
import { waitForDevice } from "./wait-for-device.js";

export interface WebGPUBackendOptions extends StorageOptions {
  /** Whether kernels for CPU adapters may use subgroups where the device has them. Default true. */
  subgroups?: boolean;
  /** Whether the adapter computes on the CPU: kernels then keep to registers and use no workgroup memory. */
  isSoftware?: boolean;
  /** Dispatches recorded before they are submitted without being asked. Default 64. */
  maxDispatches?: number;
  /** Whether to make the WGSL of every launch and throw if it differs from that of the cached pipeline. For tests. */
  checkKeys?: boolean;
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
export class WebGPUBackend extends TensorStorage {
  readonly isSoftware: boolean;
  /** The subgroup size of a CPU adapter where all its subgroups have 4 or 8 invocations; else 0. */
  readonly subgroupSize: 0 | 4 | 8;
  protected readonly recorder: CommandRecorder;
  private readonly pipelines: PipelineCache;
  private readonly bindGroups: BindGroupCache;
  private readonly reading: Reading;
  private readonly traits: AdapterTraits;
  private readonly maxDispatches: number;
  /** The launches of kernels while `warm` runs; they are not dispatched. */
  protected warming: GridLaunch[] | null = null;
  private disposed = false;
  /** The kernel that runs now, for messages. */
  protected context: KernelContext | null = null;
  /** The kernel that launched last, for messages about a batch. */
  private lastContext: KernelContext | null = null;

  constructor(device: GPUDevice, options: WebGPUBackendOptions = {}) {
    super(device, options);
    this.isSoftware = options.isSoftware ?? false;
    this.subgroupSize = this.isSoftware && (options.subgroups ?? true) ? subgroupSizeOf(device) : 0;
    this.traits = {
      vectorSize: this.isSoftware ? subgroupSizeOf(device) || 8 : 0,
      maxWorkgroups: device.limits.maxComputeWorkgroupsPerDimension,
    };
    this.maxDispatches = options.maxDispatches ?? 64;
    this.recorder = new CommandRecorder(device, this.maxDispatches, (error) => {
      this.statistics.submits++;
      this.failures.watch(
        error,
        `a batch of commands that ends with ${subjectOf(this.lastContext)}`,
        this.pool.inWords(),
      );
      this.pool.destroyEvicted();
    });
    this.pipelines = new PipelineCache(
      device,
      this.recorder.uniformLayout,
      options.checkKeys ?? false,
      (error) => {
        this.statistics.pipelinesCreated++;
        this.failures.watch(error, `the shader of ${this.subject()}`, this.pool.inWords());
      },
    );
    this.bindGroups = new BindGroupCache(device, () => {
      this.statistics.bindGroupsCreated++;
    });
    this.reading = new Reading(device, this.recorder, {
      failures: this.failures,
      statistics: this.statistics,
      pool: this.pool,
    });
  }

  // ---- reading

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
    if (store.unmaterialized) throw new Error(`dcr-webgpu: a tensor [${store.shape}] ${madeInWarm}`);
    if (parts) {
      const [real, imag] = await Promise.all([this.read(parts.real), this.read(parts.imag)]);
      return tf.backend_util.mergeRealAndImagArrays(real as Float32Array, imag as Float32Array);
    }
    if (!buffer || size === 0) return emptyValues(dtype, size);
    return this.reading.read(buffer, store, dtype);
  }

  // ---- launching

  /** Runs `kernel` with its name and inputs known to error messages. */
  within<T>(kernelName: string, inputs: Record<string, TensorInfo | undefined>, kernel: () => T): T {
    const before = this.context;
    const context: KernelContext = { kernelName, inputs, made: [] };
    this.context = context;
    try {
      return kernel();
    } catch (error) {
      for (const dataId of context.made) this.disposeData(dataId, true);
      if (!(error instanceof LostTensor)) throw error;
      throw new Error(error.message.replace("dcr-webgpu:", `dcr-webgpu: ${this.subject()}:`), {
        cause: error,
      });
    } finally {
      this.context = before;
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
    const bindings = [...launch.inputs, ...launch.outputs];
    const buffers = bindings.map(({ info, part }) => this.buffer(info.dataId, split || part !== undefined));
    for (const { info } of launch.outputs) this.data.get(info.dataId).store.host = null;
    if (split && buffers.some((buffer) => buffer.size > this.maxBindingBytes)) {
      for (const piece of piecesOf(launch, this.maxBindingBytes)) {
        this.dispatch(this.grid(piece.launch), buffers, piece.ranges);
      }
    } else if (bindings.some(({ part }) => part)) {
      const ranges = bindings.map(({ info, part }) => {
        const bytes = this.elementBytes(info.dataId);
        return part
          ? { offset: part.first * bytes, size: Math.ceil((part.count * bytes) / 4) * 4 }
          : { offset: 0 };
      });
      this.dispatch(grid, buffers, ranges);
    } else {
      this.dispatch(grid, buffers);
    }
  }

  /** The launch, with its float16 bindings marked. */
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
      : this.bindGroups.get(groupLayout, { inputs: launch.inputs.length, buffers });
    const kernel = this.context?.kernelName ?? launch.name;
    const { uniforms = [], workgroups } = launch;
    this.recorder.dispatch({ kernel, pipeline, group, buffers, uniforms, workgroups });
    this.lastContext = this.context;
    this.statistics.dispatches++;
    this.statistics.dispatchesByKernel[kernel] = (this.statistics.dispatchesByKernel[kernel] ?? 0) + 1;
  }

  /** Submits what was recorded. */
  flush(): void {
    this.recorder.flush();
  }

  /** The launch as a grid of workgroups that the device takes. */
  private grid(launch: Launch): GridLaunch {
    if ("count" in launch) return gridLaunchOf(launch, this.traits);
    try {
      return foldWorkgroups(launch, this.traits.maxWorkgroups);
    } catch (error) {
      throw new Error(`dcr-webgpu: ${this.subject(launch.name)}: ${(error as Error).message}`);
    }
  }

  // ---- errors

  private subject(name?: string): string {
    return subjectOf(this.context, name);
  }

  /** Submits the recorded commands and waits for the device's reports: the failure that stops this backend, or null. */
  async check(): Promise<string | null> {
    this.flush();
    await waitForDevice(Promise.race([this.device.lost, this.device.queue.onSubmittedWorkDone()]));
    await this.failures.settle();
    return this.failures.first;
  }

  // ---- the rest of tfjs's interface

  override floatPrecision(): 32 {
    return 32;
  }

  override timerAvailable(): boolean {
    return true;
  }

  /** Wall time until the work of `f`, and all work submitted before, is done. tfjs expects `f` to run at once. */
  override async time(f: () => void): Promise<{ kernelMs: number }> {
    this.flush();
    const start = performance.now();
    f();
    this.flush();
    await waitForDevice(this.device.queue.onSubmittedWorkDone());
    return { kernelMs: performance.now() - start };
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
    this.pool.destroy();
    this.reading.dispose();
    this.bindGroups.clear();
  }
}
