import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Environment variables that may let the Vulkan loader find NVIDIA's driver. */
export interface VulkanSettings {
  why: string;
  env: Record<string, string>;
}

const manifestFolders = ["etc/vulkan/icd.d", "usr/share/vulkan/icd.d", "usr/local/share/vulkan/icd.d"];
const libraryFolders = [
  "usr/lib/x86_64-linux-gnu",
  "usr/lib64",
  "usr/lib",
  "usr/local/nvidia/lib64",
  "usr/lib/x86_64-linux-gnu/nvidia/current",
];

/**
 * The settings to try, in this order: the driver's own manifest; a manifest of ours for its libraries, which containers often have without it; whatever the loader
 * finds by itself. Each with the bundle's loader only, then with the X11 libraries too that libGLX_nvidia needs.
 *
 * @param lib the folder with the bundle's libraries, with `x11` in it
 * @param options `folder`: for manifests of ours; `root`: where the machine's files are, `"/"` by default
 */
export function vulkanSettings(
  lib: string,
  { folder, root = "/" }: { folder: string; root?: string },
): VulkanSettings[] {
  const drivers: VulkanSettings[] = [];
  for (const path of manifestFolders.map((each) => join(root, each))) {
    const names = existsSync(path) ? readdirSync(path) : [];
    for (const name of names.filter((each) => each.includes("nvidia") && each.endsWith(".json"))) {
      drivers.push({ why: `${path}/${name}`, env: { VK_DRIVER_FILES: join(path, name) } });
    }
  }
  mkdirSync(folder, { recursive: true });
  for (const library of ["libEGL_nvidia.so.0", "libGLX_nvidia.so.0"]) {
    const at = libraryFolders.map((path) => join(root, path, library)).find(existsSync);
    if (!at) continue;
    const manifest = join(folder, `${library}.json`);
    const ICD = { library_path: at, api_version: "1.3.0" };
    writeFileSync(manifest, JSON.stringify({ file_format_version: "1.0.0", ICD }));
    drivers.push({ why: `${at}, by a manifest of ours`, env: { VK_DRIVER_FILES: manifest } });
  }
  drivers.push({ why: "the loader's own search", env: {} });
  const paths = [lib, `${lib}:${join(lib, "x11")}`].map((path) =>
    process.env["LD_LIBRARY_PATH"] ? `${path}:${process.env["LD_LIBRARY_PATH"]}` : path,
  );
  return drivers.flatMap(({ why, env }) =>
    paths.map((path, i) => ({
      why: i === 0 ? why : `${why}, with our X11 libraries`,
      env: { ...env, LD_LIBRARY_PATH: path },
    })),
  );
}
