import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { vulkanSettings } from "./vulkan-settings.js";

const scratch = mkdtempSync(join(tmpdir(), "vulkan-"));
afterAll(() => rmSync(scratch, { recursive: true }));

function machine(name: string, files: string[]): { root: string; folder: string } {
  const root = join(scratch, name);
  for (const file of ["x", ...files]) {
    mkdirSync(join(root, file, ".."), { recursive: true });
    writeFileSync(join(root, file), "{}");
  }
  return { root, folder: join(root, "ours") };
}

const drivers = (settings: ReturnType<typeof vulkanSettings>) =>
  settings.map(({ env }) => env["VK_DRIVER_FILES"]);

describe("vulkanSettings", () => {
  it("leaves the search to the loader where there is no driver of NVIDIA's, first without our X11 libraries", () => {
    const settings = vulkanSettings("/lib-of-ours", machine("none", ["usr/share/vulkan/icd.d/lvp_icd.json"]));
    expect(drivers(settings)).toEqual([undefined, undefined]);
    const paths = settings.map(({ env }) => env["LD_LIBRARY_PATH"]!.split(":").slice(0, 2));
    expect(paths[0]![0]).toBe("/lib-of-ours");
    expect(paths[1]).toEqual(["/lib-of-ours", "/lib-of-ours/x11"]);
  });

  it("takes the driver's own manifest first", () => {
    const manifest = "usr/share/vulkan/icd.d/nvidia_icd.json";
    const { root, folder } = machine("installed", [manifest, "usr/share/vulkan/icd.d/lvp_icd.json"]);
    const own = join(root, manifest);
    expect(drivers(vulkanSettings("/lib", { root, folder }))).toEqual([own, own, undefined, undefined]);
  });

  it("writes a manifest for a container's library without one", () => {
    const library = "usr/lib/x86_64-linux-gnu/libGLX_nvidia.so.0";
    const { root, folder } = machine("container", [library]);
    const [manifest] = drivers(vulkanSettings("/lib", { root, folder }));
    const { file_format_version, ICD } = JSON.parse(readFileSync(manifest!, "utf8"));
    expect(file_format_version).toBe("1.0.0");
    expect(ICD.library_path).toBe(join(root, library));
  });
});
