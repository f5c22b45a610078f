import { checkChoice, checkOptions } from "../shared/check-options.js";

/** A WebGPU device, and what its adapter says of itself. */
export interface WebGPUDevice {
  device: GPUDevice;
  /** The adapter's own name, e.g. "llvmpipe" or "NVIDIA GeForce RTX 3060". */
  name: string;
  /** Whether the adapter computes on the CPU (llvmpipe, SwiftShader, WARP or a browser's fallback adapter). */
  isSoftware: boolean;
  features: ReadonlySet<string>;
  limits: GPUSupportedLimits;
}

export interface WebGPUDeviceOptions {
  /** `true` asks for a software adapter, `false` refuses one. Default: takes either. */
  software?: boolean;
  powerPreference?: GPUPowerPreference;
}

const wantedFeatures = ["shader-f16", "subgroups", "timestamp-query"] as const;

/** Limits whose default is far below what adapters offer; each is raised to the adapter's own. */
const raisedLimits = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupSizeZ",
  "maxComputeWorkgroupsPerDimension",
  "minUniformBufferOffsetAlignment",
] as const;

/** Dawn's entry object must outlive every device made from it, or the process crashes when it is collected. */
let dawn: GPU | undefined;

/** The platform's WebGPU entry point, and what it is called in messages. */
async function gpuEntry(): Promise<{ gpu: GPU; origin: string }> {
  const ofBrowser = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
  if (ofBrowser) return { gpu: ofBrowser, origin: "navigator.gpu" };
  if (typeof process === "undefined" || !process.versions?.node) {
    throw new Error(
      "requestWebGPUDevice: navigator.gpu is missing; this browser has no WebGPU, or the page is not https",
    );
  }
  if (!dawn) {
    // A variable keeps bundlers for the browser from following the import.
    const specifier = "webgpu";
    let dawnForNode: typeof import("webgpu");
    try {
      dawnForNode = await import(/* @vite-ignore */ specifier);
    } catch (cause) {
      throw new Error(
        'requestWebGPUDevice: the optional package "webgpu" (Dawn for Node) does not load; install it with `npm install webgpu`',
        { cause },
      );
    }
    for (const [name, value] of Object.entries(dawnForNode.globals)) {
      if (!(name in globalThis))
        Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    }
    // Dawn rounds timestamps to 65 us against pages that spy by them; a profile in Node needs them as they are.
    dawn = dawnForNode.create(["disable-dawn-features=timestamp_quantization"]);
  }
  return { gpu: dawn, origin: 'the package "webgpu" (Dawn for Node)' };
}

const softwareNames = /llvmpipe|lavapipe|swiftshader|basic render|warp/i;

function isSoftwareAdapter(adapter: GPUAdapter): boolean {
  const { info } = adapter;
  const legacy = (adapter as { isFallbackAdapter?: boolean }).isFallbackAdapter === true;
  return (
    info.isFallbackAdapter ||
    legacy ||
    softwareNames.test(`${info.device} ${info.description} ${info.architecture}`)
  );
}

/** Browsers tell vendor and architecture alone. */
const nameOf = ({ device, description, vendor, architecture }: GPUAdapterInfo): string =>
  device || description || `${vendor} ${architecture}`.trim() || "unnamed adapter";

/**
 * A WebGPU device: from `navigator.gpu` in a browser, from the optional package "webgpu" (Dawn) in Node.
 *
 * Takes the features shader-f16, subgroups and timestamp-query where the adapter has them, and raises the limits
 * that bound a tensor's size to the adapter's own.
 *
 * @throws when there is no WebGPU, no adapter, or no adapter of the kind asked for (the message says what was tried), and on an
 * unknown option.
 */
export async function requestWebGPUDevice(options: WebGPUDeviceOptions = {}): Promise<WebGPUDevice> {
  const checked = checkOptions("requestWebGPUDevice", options, {
    software: "boolean",
    powerPreference: true,
  });
  const { software, powerPreference } = checked;
  if (powerPreference !== undefined) {
    checkChoice("requestWebGPUDevice: powerPreference", powerPreference, ["low-power", "high-performance"]);
  }
  const { gpu, origin } = await gpuEntry();
  const requests: GPURequestAdapterOptions[] =
    software === true ? [{ forceFallbackAdapter: true }, { powerPreference }] : [{ powerPreference }];
  const seen: string[] = [];
  for (const request of requests) {
    const adapter = await gpu.requestAdapter(request);
    if (!adapter) continue;
    const isSoftware = isSoftwareAdapter(adapter);
    const name = nameOf(adapter.info);
    if (software !== undefined && software !== isSoftware) {
      seen.push(name);
      continue;
    }
    return {
      device: await openDevice(adapter),
      name,
      isSoftware,
      features: adapter.features,
      limits: adapter.limits,
    };
  }
  const wanted = software === undefined ? "WebGPU" : software ? "software WebGPU" : "hardware WebGPU";
  const hint =
    typeof process !== "undefined" && process.versions?.node
      ? "; Dawn needs a Vulkan, Metal or D3D12 driver"
      : "";
  throw new Error(
    `requestWebGPUDevice: no ${wanted} adapter: asked ${origin}, which offered ${seen.length ? seen.join(", ") : "none"}${hint}`,
  );
}

async function openDevice(adapter: GPUAdapter): Promise<GPUDevice> {
  const requiredLimits: Record<string, number> = {};
  for (const name of raisedLimits) {
    const limit = adapter.limits[name];
    if (limit !== undefined) requiredLimits[name] = limit;
  }
  return adapter.requestDevice({
    label: "dcr-webgpu",
    requiredFeatures: wantedFeatures.filter((feature) => adapter.features.has(feature)) as GPUFeatureName[],
    requiredLimits,
  });
}
