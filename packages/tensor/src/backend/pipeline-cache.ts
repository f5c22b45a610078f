import { bindingType, type Launch, linearWorkgroupSize, wgslOf } from "./launch.js";

/** Compute pipelines by launch key, and the layouts they share. */
export class PipelineCache {
  private readonly pipelines = new Map<string, { pipeline: GPUComputePipeline; wgsl: string }>();
  private readonly layouts = new Map<string, { group: GPUBindGroupLayout; pipeline: GPUPipelineLayout }>();

  /**
   * @param checkKeys compares each launch's WGSL with what its key is cached under; for tests, since it makes the text each time.
   * @param created called for each new pipeline with a promise of its error.
   */
  constructor(
    private readonly device: GPUDevice,
    private readonly uniformLayout: GPUBindGroupLayout,
    private readonly checkKeys: boolean,
    private readonly created: (error: Promise<GPUError | null>) => void,
  ) {}

  get(launch: Launch): { pipeline: GPUComputePipeline; groupLayout: GPUBindGroupLayout } {
    const layout = this.layout(launch.inputs.length, launch.outputs.length);
    let key = `${launch.name}|${launch.key}`;
    if ("count" in launch) key += `|${linearWorkgroupSize(launch.count)}`;
    for (const binding of launch.inputs) key += `|${bindingType(binding)}`;
    for (const binding of launch.outputs) key += `>${bindingType(binding)}`;
    let entry = this.pipelines.get(key);
    if (!entry) {
      const wgsl = wgslOf(launch);
      this.device.pushErrorScope("validation");
      const pipeline = this.device.createComputePipeline({
        label: key,
        layout: layout.pipeline,
        compute: { module: this.device.createShaderModule({ label: key, code: wgsl }), entryPoint: "main" },
      });
      this.created(this.device.popErrorScope());
      entry = { pipeline, wgsl: this.checkKeys ? wgsl : "" };
      this.pipelines.set(key, entry);
    } else if (this.checkKeys && entry.wgsl !== wgslOf(launch)) {
      throw new Error(`dcr-webgpu: two different shaders under the key "${key}"`);
    }
    return { pipeline: entry.pipeline, groupLayout: layout.group };
  }

  get size(): number {
    return this.pipelines.size;
  }

  private layout(inputs: number, outputs: number) {
    const key = `${inputs}>${outputs}`;
    let entry = this.layouts.get(key);
    if (!entry) {
      const group = this.device.createBindGroupLayout({
        entries: Array.from({ length: inputs + outputs }, (_, binding) => ({
          binding,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type: binding < inputs ? ("read-only-storage" as const) : ("storage" as const) },
        })),
      });
      const pipeline = this.device.createPipelineLayout({ bindGroupLayouts: [this.uniformLayout, group] });
      entry = { group, pipeline };
      this.layouts.set(key, entry);
    }
    return entry;
  }
}
