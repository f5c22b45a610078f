import { writeFileAtomically } from "@dcr-js/tensor";
import { configPath, configToYaml } from "../config/read-config.js";
import type { RunConfig } from "../config/run-config.js";
import { writeModelHashes } from "../models/model-hashes.js";

/** Makes a folder a run's: writes what its models are made of, and then its configuration, by which a run is known. */
export async function startRun(folder: string, config: RunConfig): Promise<void> {
  await writeModelHashes(folder, config);
  await writeFileAtomically(configPath(folder), configToYaml(config));
}
