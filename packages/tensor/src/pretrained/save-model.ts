import * as tf from "@tensorflow/tfjs-core";
import { writeSafetensors } from "../io/files.js";
import type { SerializeOptions } from "../io/safetensors.js";
import { writeFileAtomically } from "../io/write-file-atomically.js";
import type { Module } from "../nn/module.js";

/** Writes `config.json` and `diffusion_pytorch_model.safetensors`, each whole or not at all. */
export async function saveModel(
  folder: string,
  model: Module,
  config: Record<string, unknown>,
  options: Pick<SerializeOptions, "dtype">,
): Promise<void> {
  const weights = model.stateDict();
  try {
    await writeSafetensors(`${folder}/diffusion_pytorch_model.safetensors`, weights, {
      ...options,
      metadata: { format: "pt" },
    });
  } finally {
    tf.dispose(weights);
  }
  await writeFileAtomically(`${folder}/config.json`, `${JSON.stringify(config, null, 2)}\n`);
}
