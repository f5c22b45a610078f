import { join } from "node:path";
import { loadAdapter } from "@dcr-js/encoders";
import { readEncoderForm } from "../models/encoder-forms.js";

/**
 * Writes the enhanced encoder: the whole model that the image tower was taken from, with the trained adapters merged. It is
 * loaded anew, so that the text tower is in memory for as long as it is written and no longer, and weights that were stored
 * as float16 for training are written as they came.
 *
 * @param name the encoder's folder or hub id
 * @param output a folder with `adapter/`, which gets `encoder/`
 */
export async function writeEnhancedEncoder(name: string, output: string): Promise<void> {
  const { whole } = await readEncoderForm(name);
  const model = await whole.fromPretrained(name);
  try {
    (await loadAdapter(model, join(output, "adapter"))).merge();
    await model.savePretrained(join(output, "encoder"));
  } finally {
    model.dispose();
  }
}
