/** Buffers are allocated in multiples of this, so that a partly filled last vec4 can be read and written. */
const granularity = 16;

/** Smaller buffers have the size that was asked for: they take little memory together, and a loop asks for the same sizes again. */
const smallestShared = 2 ** 16;

/** A request may take a free buffer of up to so many times the size that a new one would have. */
const maxSlack = 2;

/** Used and free buffers together take at most so many times the most bytes that were ever in use at one time. */
const maxShare = 1.2;

export interface BufferPoolOptions {
  /** So many bytes of free buffers are kept in any case. */
  maxFreeBytes: number;
  /** The largest buffer that a kernel binds whole. A request that fits gets no larger buffer than that. */
  maxBindingBytes: number;
  /** Called for each new buffer with a promise of its error. */
  created: (error: Promise<GPUError | null>, bytes: number) => void;
}

/** The properties that a request asks for besides its size. */
export interface BufferRequest {
  /** Whether the buffer must have the very size: a weight keeps it for long, and spare bytes would be lost. */
  exact?: boolean;
  /** Buffers not to take: recorded commands still read them, and a write from the host would come before those. */
  busy?: ReadonlySet<GPUBuffer>;
}

/**
 * Keeps free storage buffers for reuse.
 *
 * The phases of a training step (the encoder, the denoiser, their backward passes) use tensors of different sizes one after another. If each
 * size had buffers of its own, all phases' buffers together would take far more than one phase uses, and a bound on them would make every
 * step evict and make them anew. So sizes are rounded up to classes, four for each power of two, and a request may take a free buffer of
 * up to twice the size of its class. Natural sizes are products of powers of two and small factors, or slightly more where a class token comes
 * with the patches; class limits lie 1/16 above such sizes, so that both share a class.
 *
 * Of one size, the oldest buffer is taken first: a loop that asks for the same sizes again then gets the same buffers, in whatever order it
 * released them, and so finds its bind groups.
 *
 * The host may be far ahead of the device, which gives up the memory of an evicted buffer only when it gets there. So a loop must find
 * its buffers again, and the bound lies above the most bytes that were ever in use, whatever is in use now.
 */
export class BufferPool {
  /** By size, from the size released longest ago; each list from the oldest buffer to the newest. */
  private readonly free = new Map<number, GPUBuffer[]>();
  /** The sizes of free buffers, ascending. */
  private readonly sizes: number[] = [];
  /** Every buffer that is not destroyed, with its number. */
  private readonly creationOrder = new Map<GPUBuffer, number>();
  private made = 0;
  /** Evicted buffers; commands that are not submitted yet may still use them. */
  private doomed: GPUBuffer[] = [];
  /** Bytes in buffers that are in use. */
  usedBytes = 0;
  /** Bytes in buffers that wait for reuse. */
  freeBytes = 0;
  private mostUsedBytes = 0;

  constructor(
    private readonly device: GPUDevice,
    private readonly options: BufferPoolOptions,
  ) {}

  /** A storage buffer of at least `bytes`. */
  acquire(bytes: number, { exact = false, busy }: BufferRequest = {}): GPUBuffer {
    const size = Math.max(granularity, roundUp(bytes));
    const { maxBindingBytes } = this.options;
    const limit = size <= maxBindingBytes ? maxBindingBytes : size;
    const isShared = !exact && size >= smallestShared;
    const shared = isShared ? Math.min(classOf(size), limit) : size;
    const buffer =
      this.take(size, isShared ? Math.min(maxSlack * shared, limit) : size, busy) ?? this.create(shared);
    this.mostUsedBytes = Math.max(this.mostUsedBytes, this.usedBytes);
    this.evict();
    return buffer;
  }

  /** Keeps the buffer for reuse. It does nothing after `destroy`. */
  release(buffer: GPUBuffer): void {
    if (!this.creationOrder.has(buffer)) return;
    const { size } = buffer;
    this.usedBytes -= size;
    this.freeBytes += size;
    const list = this.free.get(size) ?? [];
    const own = this.creationOrder.get(buffer)!;
    list.splice(
      indexIn(list, (other) => this.creationOrder.get(other)! < own),
      0,
      buffer,
    );
    if (list.length === 1)
      this.sizes.splice(
        indexIn(this.sizes, (other) => other < size),
        0,
        size,
      );
    // The map's order is that of the last releases.
    this.free.delete(size);
    this.free.set(size, list);
    this.evict();
  }

  /** Takes the smallest free buffer from `least` to `most` bytes. */
  private take(least: number, most: number, busy?: ReadonlySet<GPUBuffer>): GPUBuffer | undefined {
    for (let i = indexIn(this.sizes, (size) => size < least); this.sizes[i] <= most; i++) {
      const list = this.free.get(this.sizes[i])!;
      const index = busy ? list.findIndex((buffer) => !busy.has(buffer)) : 0;
      if (index < 0) continue;
      this.usedBytes += this.sizes[i];
      return this.remove(this.sizes[i], index);
    }
    return undefined;
  }

  /** Takes a buffer out of the free ones. */
  private remove(size: number, index: number): GPUBuffer {
    const list = this.free.get(size)!;
    const [buffer] = list.splice(index, 1);
    this.freeBytes -= size;
    if (list.length === 0) {
      this.free.delete(size);
      this.sizes.splice(
        indexIn(this.sizes, (other) => other < size),
        1,
      );
    }
    return buffer;
  }

  private create(size: number): GPUBuffer {
    this.device.pushErrorScope("out-of-memory");
    const buffer = this.device.createBuffer({
      size,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
    this.creationOrder.set(buffer, this.made++);
    this.usedBytes += size;
    this.options.created(this.device.popErrorScope(), size);
    return buffer;
  }

  /** Evicts free buffers until the bounds hold: the newest of the size that was released longest ago. */
  private evict(): void {
    const most = maxShare * this.mostUsedBytes;
    while (this.freeBytes > this.options.maxFreeBytes && this.usedBytes + this.freeBytes > most) {
      const [[size, list]] = this.free;
      this.doomed.push(this.remove(size, list.length - 1));
    }
  }

  /** Destroys the evicted buffers. Call it when all recorded commands are submitted. */
  destroyEvicted(): void {
    for (const buffer of this.doomed) {
      buffer.destroy();
      this.creationOrder.delete(buffer);
    }
    this.doomed = [];
  }

  /** How much memory is in use, for messages. */
  inWords(): string {
    return (
      `tensors take ${this.usedBytes} bytes, ${this.freeBytes} are free for reuse, ` +
      `and a buffer holds at most ${this.device.limits.maxBufferSize}`
    );
  }

  /** Destroys every buffer, those in use too. */
  destroy(): void {
    for (const buffer of this.creationOrder.keys()) buffer.destroy();
    this.creationOrder.clear();
    this.doomed = [];
    this.free.clear();
    this.sizes.length = 0;
    this.usedBytes = 0;
    this.freeBytes = 0;
  }
}

const roundUp = (bytes: number) => Math.ceil(bytes / granularity) * granularity;

/** The size of the buffers that serve requests of `size` bytes: 17/16 of a power of the fourth root of two. */
function classOf(size: number): number {
  const limit = 17 / 16;
  const power = Math.ceil(4 * Math.log2(size / limit)) / 4;
  return Math.max(size, roundUp(limit * 2 ** power));
}

/** How many elements of a list, from its start, are before a place. */
function indexIn<T>(list: readonly T[], isBefore: (element: T) => boolean): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBefore(list[middle])) low = middle + 1;
    else high = middle;
  }
  return low;
}
