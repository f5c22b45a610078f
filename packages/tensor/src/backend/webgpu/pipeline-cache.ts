import { type Binding, bindingType, type GridLaunch, wgslOf } from "./launch.js";

const storedType = (binding: Binding) => bindingType(binding) + (binding.half ? " as f16" : "");

/** The key that the launch's pipeline is cached by. */
function keyOf(launch: GridLaunch): string {
  let key = `${launch.name}|${launch.key}`;
  for (const binding of launch.inputs) key += `|${storedType(binding)}`;
  for (const binding of launch.outputs) key += `>${storedType(binding)}`;
  return key;
}

/** Compute pipelines by launch key, and the layouts they share. */
export class PipelineCache {
  private readonly pipelines = new Map<string, { pipeline: GPUComputePipeline; wgsl: string }>();
  private readonly layouts = new Map<string, { group: GPUBindGroupLayout; pipeline: GPUPipelineLayout }>();

  /**
   * @param checkKeys makes each launch's WGSL and compares it with the WGSL of the cached pipeline. For tests.
   * @param created called for each new pipeline with a promise of its error.
   */
  constructor(
    private readonly device: GPUDevice,
    private readonly uniformLayout: GPUBindGroupLayout,
    private readonly checkKeys: boolean,
    private readonly created: (error: Promise<GPUError | null>) => void,
  ) {}

  get(launch: GridLaunch): { pipeline: GPUComputePipeline; groupLayout: GPUBindGroupLayout } {
    const layout = this.layout(launch);
    const key = keyOf(launch);
    let entry = this.pipelines.get(key);
    if (!entry) {
      const wgsl = wgslOf(launch);
      this.device.pushErrorScope("validation");
      const pipeline = this.device.createComputePipeline(this.descriptor(key, wgsl, layout.pipeline));
      this.created(this.device.popErrorScope());
      entry = this.add(key, pipeline, wgsl);
    } else if (this.checkKeys && entry.wgsl !== wgslOf(launch)) {
      throw new Error(`dcr-webgpu: two different shaders under the key "${key}"`);
    }
    return { pipeline: entry.pipeline, groupLayout: layout.group };
  }

  /**
   * Compiles the missing pipelines of launches side by side. If a shader does not compile, its launch reports that later.
   *
   * @returns how many were compiled.
   */
  async compile(launches: readonly GridLaunch[]): Promise<number> {
    const missing = new Map<string, GridLaunch>();
    for (const launch of launches) {
      const key = keyOf(launch);
      if (!this.pipelines.has(key)) missing.set(key, launch);
    }
    const compiled = await Promise.all(
      [...missing].map(async ([key, launch]) => {
        const wgsl = wgslOf(launch);
        this.device.pushErrorScope("validation");
        const compiling = this.device.createComputePipelineAsync(
          this.descriptor(key, wgsl, this.layout(launch).pipeline),
        );
        const module = this.device.popErrorScope();
        try {
          const pipeline = await compiling;
          // A launch may have compiled it meanwhile.
          if (this.pipelines.has(key)) return 0;
          this.created(module);
          this.add(key, pipeline, wgsl);
          return 1;
        } catch {
          return 0;
        }
      }),
    );
    return compiled.reduce<number>((sum, count) => sum + count, 0);
  }

  private add(key: string, pipeline: GPUComputePipeline, wgsl: string) {
    const entry = { pipeline, wgsl: this.checkKeys ? wgsl : "" };
    this.pipelines.set(key, entry);
    return entry;
  }

  private descriptor(key: string, code: string, layout: GPUPipelineLayout): GPUComputePipelineDescriptor {
    const module = this.device.createShaderModule({ label: key, code });
    return { label: key, layout, compute: { module, entryPoint: "main" } };
  }

  get size(): number {
    return this.pipelines.size;
  }

  private layout(launch: GridLaunch) {
    const [inputs, outputs] = [launch.inputs.length, launch.outputs.length];
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
