/** Buffers for reading back: a few, each as large as the largest read it served. */
export class ReadingPool {
  private free: GPUBuffer[] = [];

  /** @param created called for each new buffer with a promise of its error. */
  constructor(
    private readonly device: GPUDevice,
    private readonly created: (error: Promise<GPUError | null>, bytes: number) => void,
  ) {}

  acquire(bytes: number): GPUBuffer {
    const index = this.free.findIndex((buffer) => buffer.size >= bytes);
    if (index >= 0) return this.free.splice(index, 1)[0];
    const size = Math.max(4096, Math.ceil(bytes / 16) * 16);
    this.device.pushErrorScope("out-of-memory");
    const buffer = this.device.createBuffer({
      size,
      usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
    });
    this.created(this.device.popErrorScope(), size);
    return buffer;
  }

  release(buffer: GPUBuffer): void {
    this.free.push(buffer);
    if (this.free.length > 4) this.free.shift()!.destroy();
  }

  clear(): void {
    for (const buffer of this.free) buffer.destroy();
    this.free = [];
  }
}
