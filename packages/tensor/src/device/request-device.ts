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
  /** The rule that chose the adapter, and the others that were offered, in a sentence. */
  reason: string;
}

export interface WebGPUDeviceOptions {
  /** `true` asks for a software adapter, `false` refuses one. Default: takes one where no GPU is offered. */
  software?: boolean;
  /** Which GPU to take where there are several. Default `"high-performance"`. */
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

/** Browsers tell vendor and architecture only. */
const nameOf = ({ device, description, vendor, architecture }: GPUAdapterInfo): string =>
  device || description || `${vendor} ${architecture}`.trim() || "unnamed adapter";

/**
 * A WebGPU device: from `navigator.gpu` in a browser, from the optional package "webgpu" (Dawn) in Node.
 *
 * WebGPU has no list of adapters, and the first that it offers may compute on the CPU beside a GPU. So this asks several times, the GPU
 * of the power preference first, then the other, then for any, and takes the first adapter that is a GPU; a software adapter only where none is.
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
  const offered = await offeredAdapters(gpu, requestsFor(software, powerPreference));
  const ofKind = (wanted: boolean) => offered.find(({ isSoftware }) => isSoftware === wanted);
  const chosen = software === undefined ? (ofKind(false) ?? ofKind(true)) : ofKind(software);
  const names = [...new Set(offered.map(({ name }) => name))];
  if (chosen) {
    const { adapter, name, isSoftware } = chosen;
    const rule = isSoftware
      ? software
        ? "a software adapter was asked for"
        : "no GPU was offered"
      : "the first GPU that was offered";
    const others = names.filter((other) => other !== name);
    return {
      device: await openDevice(adapter),
      name,
      isSoftware,
      features: adapter.features,
      limits: adapter.limits,
      reason: others.length > 0 ? `${rule}; also offered: ${others.join(", ")}` : rule,
    };
  }
  const wanted = software === undefined ? "WebGPU" : software ? "software WebGPU" : "hardware WebGPU";
  const hint =
    typeof process !== "undefined" && process.versions?.node
      ? "; Dawn needs a Vulkan, Metal or D3D12 driver"
      : "";
  throw new Error(
    `requestWebGPUDevice: no ${wanted} adapter: asked ${origin}, which offered ${names.length ? names.join(", ") : "none"}${hint}`,
  );
}

/** The requests to make, in order. */
function requestsFor(
  software: boolean | undefined,
  preferred: GPUPowerPreference = "high-performance",
): GPURequestAdapterOptions[] {
  const other = preferred === "high-performance" ? "low-power" : "high-performance";
  const any = [{ powerPreference: preferred }, { powerPreference: other }, {}] as const;
  return software ? [{ forceFallbackAdapter: true }, ...any] : [...any];
}

interface OfferedAdapter {
  adapter: GPUAdapter;
  name: string;
  isSoftware: boolean;
}

/** The adapters that each request gives; the same one may come several times. */
async function offeredAdapters(
  gpu: GPU,
  requests: readonly GPURequestAdapterOptions[],
): Promise<OfferedAdapter[]> {
  const offered: OfferedAdapter[] = [];
  for (const request of requests) {
    const adapter = await gpu.requestAdapter(request);
    if (adapter)
      offered.push({ adapter, name: nameOf(adapter.info), isSoftware: isSoftwareAdapter(adapter) });
  }
  return offered;
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
