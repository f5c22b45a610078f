import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeFileAtomically } from "@dcr-js/tensor";
import { configPath, configToYaml } from "../config/read-config.js";
import type { RunConfig } from "../config/run-config.js";

/** Works in a run's folder that is removed afterwards. */
export async function inTemporaryRun<T>(config: RunConfig, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "dcr-plan-")).catch((error: Error) => {
    throw new Error(`no temporary folder can be made in ${tmpdir()} (${error.message}); set TMPDIR`, {
      cause: error,
    });
  });
  try {
    await writeFileAtomically(configPath(folder), configToYaml(config));
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
