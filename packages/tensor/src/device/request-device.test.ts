import { afterEach, describe, expect, it } from "vitest";
import { webgpuDevice } from "../../test/test-backends.js";
import { requestWebGPUDevice } from "./request-device.js";

const { device, reason } = await webgpuDevice();

/** Replaces the platform's entry point, and records the requests. */
function offer(
  adapter: object | null | ((options: GPURequestAdapterOptions) => object | null),
): GPURequestAdapterOptions[] {
  const asked: GPURequestAdapterOptions[] = [];
  const gpu = {
    requestAdapter: async (options: GPURequestAdapterOptions) => {
      asked.push(options);
      return typeof adapter === "function" ? adapter(options) : adapter;
    },
  };
  Object.defineProperty(globalThis, "navigator", { value: { gpu }, configurable: true });
  return asked;
}

describe("requestWebGPUDevice", () => {
  const original = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  afterEach(() => {
    if (original) Object.defineProperty(globalThis, "navigator", original);
    else Reflect.deleteProperty(globalThis, "navigator");
  });

  it("says in one line what was asked when there is no adapter", async () => {
    const asked = offer(null);
    await expect(requestWebGPUDevice({ powerPreference: "low-power" })).rejects.toThrow(
      /^requestWebGPUDevice: no WebGPU adapter: asked navigator.gpu, which offered none.*$/,
    );
    expect(asked).toEqual([{ powerPreference: "low-power" }, { powerPreference: "high-performance" }, {}]);
  });

  const adapterNamed = (description: string, isFallbackAdapter = false) => ({
    info: { device: "", description, vendor: "", architecture: "", isFallbackAdapter },
    features: new Set(),
    limits: {},
    requestDevice: async () => ({ description }),
  });
  const [llvmpipe, radeon, arc] = [
    adapterNamed("llvmpipe (LLVM 15)"),
    adapterNamed("Radeon"),
    adapterNamed("Arc"),
  ];

  it.each([
    { whichever: "for low power only", preference: "low-power" },
    { whichever: "for high performance only", preference: "high-performance" },
    { whichever: "without a preference only", preference: undefined },
  ])(
    "takes the GPU that is offered $whichever, not the software adapter beside it",
    async ({ preference }) => {
      for (const software of [undefined, false]) {
        offer(({ powerPreference }) => (powerPreference === preference ? radeon : llvmpipe));
        expect(await requestWebGPUDevice({ software })).toMatchObject({
          name: "Radeon",
          isSoftware: false,
          reason: "the first GPU that was offered; also offered: llvmpipe (LLVM 15)",
        });
      }
    },
  );

  it("prefers the GPU of high performance, or the one asked for, and takes software where it is wanted or alone", async () => {
    const both = ({ powerPreference, forceFallbackAdapter }: GPURequestAdapterOptions) =>
      forceFallbackAdapter ? llvmpipe : powerPreference === "low-power" ? arc : radeon;
    offer(both);
    expect((await requestWebGPUDevice()).name).toBe("Radeon");
    expect((await requestWebGPUDevice({ powerPreference: "low-power" })).name).toBe("Arc");
    expect(await requestWebGPUDevice({ software: true })).toMatchObject({
      name: "llvmpipe (LLVM 15)",
      reason: "a software adapter was asked for; also offered: Radeon, Arc",
    });
    offer(llvmpipe);
    expect(await requestWebGPUDevice()).toMatchObject({ isSoftware: true, reason: "no GPU was offered" });
  });

  it("refuses options that it does not know, and values that they do not take", async () => {
    await expect(requestWebGPUDevice({ sofware: true } as object)).rejects.toThrow(/"?sofware"?/);
    await expect(requestWebGPUDevice({ software: "yes" } as object)).rejects.toThrow(
      'requestWebGPUDevice: software must be a boolean, got "yes"',
    );
    await expect(requestWebGPUDevice({ powerPreference: "max" } as object)).rejects.toThrow(
      'requestWebGPUDevice: powerPreference must be one of low-power, high-performance, got "max"',
    );
  });

  it("refuses an adapter of the other kind by name", async () => {
    const info = {
      device: "",
      description: "SwiftShader Device (LLVM 10)",
      vendor: "google",
      architecture: "",
    };
    offer({ info, features: new Set(), limits: {} });
    await expect(requestWebGPUDevice({ software: false })).rejects.toThrow(
      "no hardware WebGPU adapter: asked navigator.gpu, which offered SwiftShader Device (LLVM 10)",
    );
    const asked = offer({ info: { ...info, description: "Radeon" }, features: new Set(), limits: {} });
    await expect(requestWebGPUDevice({ software: true })).rejects.toThrow("no software WebGPU adapter");
    expect(asked[0]).toEqual({ forceFallbackAdapter: true });
    const terse = { ...info, description: "", architecture: "swiftshader" };
    offer({ info: terse, features: new Set(), limits: {} });
    await expect(requestWebGPUDevice({ software: false })).rejects.toThrow("offered google swiftshader");
  });

  if (device)
    it("opens the adapter of this machine with its own limits", async () => {
      const { name, isSoftware, limits, features } = device!;
      expect(name).not.toBe("");
      expect(device!.device.limits.maxStorageBufferBindingSize).toBe(limits.maxStorageBufferBindingSize);
      expect(device!.device.limits.maxBufferSize).toBe(limits.maxBufferSize);
      expect(device!.device.features.has("shader-f16")).toBe(features.has("shader-f16"));
      const same = await requestWebGPUDevice({ software: isSoftware });
      expect(same.name).toBe(name);
      same.device.destroy();
      await expect(requestWebGPUDevice({ software: !isSoftware })).rejects.toThrow(name);
    });

  if (!device)
    it("says what is missing on this machine", async () => {
      expect(reason).toMatch(/no WebGPU adapter: asked .* which offered none|does not load/);
    });
});
