import { writeFileAtomically } from "@dcr-js/tensor";
import { configPath, configToYaml } from "../config/read-config.js";
import type { RunConfig } from "../config/run-config.js";
import { hashInputs, writeInputs } from "./run-inputs.js";

/** Makes a folder a run's: writes what its inputs are made of, and then its configuration, by which a run is known. */
export async function startRun(folder: string, config: RunConfig): Promise<void> {
  await writeInputs(folder, await hashInputs(config));
  await writeFileAtomically(configPath(folder), configToYaml(config));
}
