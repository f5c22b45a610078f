import type { DispatchTimer } from "./dispatch-timer.js";

/** Bytes of uniforms that one dispatch may have. */
const maxUniformBytes = 512;

interface Dispatch {
  /** The kernel's name, for profiles. */
  kernel: string;
  pipeline: GPUComputePipeline;
  group: GPUBindGroup;
  /** The buffers of the group. */
  buffers: readonly GPUBuffer[];
  /** Written in order as 32-bit words. */
  uniforms: readonly { type: "u32" | "i32" | "f32"; value: number }[];
  workgroups: readonly [number, number, number];
}

/**
 * Gathers dispatches in one compute pass and submits them together.
 *
 * The uniforms of a batch are written together before its submission. A dispatch finds its own at a dynamic offset, so all
 * dispatches share one bind group.
 */
export class CommandRecorder {
  readonly uniformLayout: GPUBindGroupLayout;
  /** Storage buffers that commands use which are recorded and not submitted yet. */
  readonly busy = new Set<GPUBuffer>();
  /** If set, it times each dispatch, which then has a pass of its own. */
  timer: DispatchTimer | null = null;
  private encoder: GPUCommandEncoder | null = null;
  private pass: GPUComputePassEncoder | null = null;
  private dispatches = 0;
  private readonly uniformBuffer: GPUBuffer;
  private readonly uniformGroup: GPUBindGroup;
  private readonly uniformBytes: ArrayBuffer;
  private readonly uniformWords: DataView;
  private readonly alignment: number;
  private uniformEnd = 0;

  /**
   * @param maxDispatches submits by itself after this many.
   * @param submitted called after each submission, with a promise of its first error.
   */
  constructor(
    private readonly device: GPUDevice,
    private readonly maxDispatches: number,
    private readonly submitted: (error: Promise<GPUError | null>) => void,
  ) {
    this.alignment = device.limits.minUniformBufferOffsetAlignment;
    const size = maxDispatches * Math.max(this.alignment, 128) + maxUniformBytes;
    this.uniformBytes = new ArrayBuffer(size);
    this.uniformWords = new DataView(this.uniformBytes);
    this.uniformBuffer = device.createBuffer({
      label: "uniforms",
      size,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
    this.uniformLayout = device.createBindGroupLayout({
      entries: [
        {
          binding: 0,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type: "uniform", hasDynamicOffset: true },
        },
      ],
    });
    this.uniformGroup = device.createBindGroup({
      layout: this.uniformLayout,
      entries: [{ binding: 0, resource: { buffer: this.uniformBuffer, size: maxUniformBytes } }],
    });
  }

  dispatch({ kernel, pipeline, group, buffers, uniforms, workgroups }: Dispatch): void {
    const bytes = uniforms.length * 4;
    if (bytes > maxUniformBytes)
      throw new Error(`dcr-webgpu: ${bytes} bytes of uniforms, at most ${maxUniformBytes} fit`);
    if (this.uniformEnd + maxUniformBytes > this.uniformBytes.byteLength) this.flush();
    const offset = this.uniformEnd;
    for (let i = 0; i < uniforms.length; i++) {
      const { type, value } = uniforms[i];
      const at = offset + 4 * i;
      if (type === "f32") this.uniformWords.setFloat32(at, value, true);
      else if (type === "i32") this.uniformWords.setInt32(at, value, true);
      else this.uniformWords.setUint32(at, value, true);
    }
    this.uniformEnd = Math.ceil((offset + Math.max(bytes, 16)) / this.alignment) * this.alignment;
    this.encoder ??= this.device.createCommandEncoder();
    if (this.timer) {
      this.pass?.end();
      this.pass = this.encoder.beginComputePass({ timestampWrites: this.timer.next(kernel) });
    }
    this.pass ??= this.encoder.beginComputePass();
    this.pass.setPipeline(pipeline);
    this.pass.setBindGroup(0, this.uniformGroup, [offset]);
    this.pass.setBindGroup(1, group);
    this.pass.dispatchWorkgroups(...workgroups);
    for (const buffer of buffers) this.busy.add(buffer);
    if (++this.dispatches >= this.maxDispatches) this.flush();
  }

  /** Records a copy between buffers, after everything recorded so far. */
  copy(from: GPUBuffer, to: GPUBuffer, bytes: number): void {
    this.pass?.end();
    this.pass = null;
    this.encoder ??= this.device.createCommandEncoder();
    this.encoder.copyBufferToBuffer(from, 0, to, 0, bytes);
    this.busy.add(from);
  }

  /** Submits what was recorded. */
  flush(): void {
    if (!this.encoder) return;
    this.pass?.end();
    this.timer?.resolve(this.encoder);
    this.device.pushErrorScope("validation");
    this.device.pushErrorScope("out-of-memory");
    this.device.queue.writeBuffer(
      this.uniformBuffer,
      0,
      this.uniformBytes,
      0,
      Math.ceil(this.uniformEnd / 4) * 4,
    );
    this.device.queue.submit([this.encoder.finish()]);
    this.timer?.submitted();
    const scopes = [this.device.popErrorScope(), this.device.popErrorScope()];
    this.encoder = null;
    this.pass = null;
    this.dispatches = 0;
    this.uniformEnd = 0;
    this.busy.clear();
    this.submitted(Promise.all(scopes).then(([first, second]) => first ?? second));
  }

  dispose(): void {
    this.flush();
    this.uniformBuffer.destroy();
  }
}
