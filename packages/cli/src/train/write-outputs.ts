import { join } from "node:path";
import { loadAdapter, loadImageEncoder } from "@dcr-js/encoders";
import type { RunConfig } from "../config/run-config.js";
import { resolveEncoder } from "../models/resolve-models.js";

/**
 * Writes the enhanced encoder: the whole model that the image tower was taken from, with the trained adapters merged. It is
 * loaded anew, so that the text tower is in memory for as long as it is written and no longer, and weights that were stored
 * as float16 for training are written as they came.
 *
 * @param config names the encoder
 * @param output a folder with `adapter/`, which gets `encoder/`
 */
export async function writeEnhancedEncoder(
  config: Pick<RunConfig, "encoder" | "encoderRevision">,
  output: string,
): Promise<void> {
  const loaded = await loadImageEncoder(await resolveEncoder(config));
  try {
    (await loadAdapter(loaded.encoder, join(output, "adapter"))).merge();
    await loaded.savePretrained(join(output, "encoder"));
  } finally {
    loaded.dispose();
  }
}
