/** Buffers are allocated in multiples of this, so that a partly filled last vec4 can be read and written. */
const granularity = 16;

/**
 * Keeps free storage buffers for reuse, by size, up to a bound in bytes. Of one size, the oldest buffer is taken first: a loop that
 * asks for the same sizes again then gets the same buffers, in whatever order it released them, and so finds its bind groups.
 *
 * The host may be far ahead of the device, which gives up the memory of an evicted buffer only when it gets there: a loop whose buffers
 * are evicted and made again would take their memory anew each time. So until the host waits for the device, the pool evicts nothing
 * while used and free buffers together are no more than the most that was in use since it last waited.
 */
export class BufferPool {
  /** By size; each list from the oldest to the newest. */
  private readonly free = new Map<number, GPUBuffer[]>();
  private readonly creationOrder = new WeakMap<GPUBuffer, number>();
  private made = 0;
  /** Evicted buffers; commands that are not submitted yet may still use them. */
  private doomed: GPUBuffer[] = [];
  /** Bytes in buffers that are in use. */
  usedBytes = 0;
  /** Bytes in buffers that wait for reuse. */
  freeBytes = 0;
  /** The most bytes in use since the host last waited for the device. */
  private mostUsedBytes = 0;

  /**
   * @param maxFreeBytes bound on the bytes of free buffers when the host waits for the device.
   * @param created called for each new buffer with a promise of its error.
   */
  constructor(
    private readonly device: GPUDevice,
    private readonly maxFreeBytes: number,
    private readonly created: (error: Promise<GPUError | null>, bytes: number) => void,
  ) {}

  /**
   * A storage buffer of at least `bytes`.
   *
   * @param busy buffers not to take: recorded commands still read them, and a write from the host would come before those.
   */
  acquire(bytes: number, busy?: ReadonlySet<GPUBuffer>): GPUBuffer {
    const size = Math.max(granularity, Math.ceil(bytes / granularity) * granularity);
    this.usedBytes += size;
    this.mostUsedBytes = Math.max(this.mostUsedBytes, this.usedBytes);
    const candidates = this.free.get(size);
    if (candidates) {
      const index = busy ? candidates.findIndex((buffer) => !busy.has(buffer)) : 0;
      if (index >= 0 && index < candidates.length) {
        this.freeBytes -= size;
        return candidates.splice(index, 1)[0];
      }
    }
    this.device.pushErrorScope("out-of-memory");
    const buffer = this.device.createBuffer({
      size,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
    this.creationOrder.set(buffer, this.made++);
    this.created(this.device.popErrorScope(), size);
    this.evict();
    return buffer;
  }

  release(buffer: GPUBuffer): void {
    this.usedBytes -= buffer.size;
    this.freeBytes += buffer.size;
    const list = this.free.get(buffer.size);
    if (list) list.splice(this.indexIn(list, buffer), 0, buffer);
    else this.free.set(buffer.size, [buffer]);
    this.evict();
  }

  /** The device has done all that it was given. */
  settled(): void {
    this.mostUsedBytes = this.usedBytes;
    this.evict();
  }

  private indexIn(list: readonly GPUBuffer[], buffer: GPUBuffer): number {
    const own = this.creationOrder.get(buffer)!;
    let [low, high] = [0, list.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.creationOrder.get(list[middle])! < own) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Evicts free buffers until the bounds hold: the newest of the sizes that were first used longest ago. */
  private evict(): void {
    const isOver = () =>
      this.freeBytes > this.maxFreeBytes && this.usedBytes + this.freeBytes > this.mostUsedBytes;
    for (const [size, list] of this.free) {
      while (list.length > 0 && isOver()) {
        this.freeBytes -= size;
        this.doomed.push(list.pop()!);
      }
      if (!isOver()) return;
      this.free.delete(size);
    }
  }

  /** Destroys the evicted buffers. Call it when all recorded commands are submitted. */
  destroyEvicted(): void {
    for (const buffer of this.doomed) buffer.destroy();
    this.doomed = [];
  }

  /** How much memory is in use, for messages. */
  inWords(): string {
    return (
      `tensors take ${this.usedBytes} bytes, ${this.freeBytes} are free for reuse, ` +
      `and a buffer holds at most ${this.device.limits.maxBufferSize}`
    );
  }

  /** Destroys every free buffer. */
  clear(): void {
    for (const list of this.free.values()) this.doomed.push(...list);
    this.free.clear();
    this.freeBytes = 0;
  }
}
