import type { Range } from "./pieces.js";

/** Enough for some training steps of a large model. */
const maxBindGroups = 16384;

/** Keeps bind groups by the buffers that they hold: each training step asks for the same ones again. */
export class BindGroupCache {
  private readonly groups = new Map<string, GPUBindGroup>();
  private readonly bufferIds = new WeakMap<GPUBuffer, number>();
  private nextBufferId = 0;

  /** @param created called for each new group. */
  constructor(
    private readonly device: GPUDevice,
    private readonly created: () => void,
  ) {}

  /** The group of whole buffers; the first `inputs` of them are read only. */
  get(
    layout: GPUBindGroupLayout,
    { inputs, buffers }: { inputs: number; buffers: readonly GPUBuffer[] },
  ): GPUBindGroup {
    const key = [inputs, ...buffers.map((buffer) => this.idOf(buffer))].join();
    let group = this.groups.get(key);
    if (!group) {
      if (this.groups.size >= maxBindGroups) this.groups.clear();
      group = this.create(layout, buffers);
      this.groups.set(key, group);
    }
    return group;
  }

  /** A new group, which is not kept: of ranges of the buffers if `ranges` is given. */
  create(layout: GPUBindGroupLayout, buffers: readonly GPUBuffer[], ranges?: readonly Range[]): GPUBindGroup {
    this.created();
    return this.device.createBindGroup({
      layout,
      entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer, ...ranges?.[binding] } })),
    });
  }

  clear(): void {
    this.groups.clear();
  }

  private idOf(buffer: GPUBuffer): number {
    let id = this.bufferIds.get(buffer);
    if (id === undefined) {
      id = this.nextBufferId++;
      this.bufferIds.set(buffer, id);
    }
    return id;
  }
}
