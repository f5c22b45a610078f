import { nodeModule } from "./node-modules.js";

/**
 * The compiled program of a worker thread, which lies beside the module that starts it.
 *
 * @param moduleUrl that module's `import.meta.url`, which is undefined in a bundle in CommonJS
 * @param path within `dist`, such as `"pipeline/image-worker.js"`
 * @returns undefined where the module is part of a bundle and the program is not beside it
 */
export function workerProgram(moduleUrl: string | undefined, path: string): URL | undefined {
  if (!moduleUrl) return undefined;
  // Tests run the sources, where the program is not compiled.
  const url = moduleUrl.endsWith(".ts")
    ? new URL(`../../dist/${path}`, moduleUrl)
    : new URL(path.slice(path.lastIndexOf("/") + 1), moduleUrl);
  return nodeModule("node:fs").existsSync(url) ? url : undefined;
}
