import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Module, readSafetensors, type StateDict } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";

/** A fixture of `tools/reference/diffusion_settings.py`: tiny models by name. */
export interface Setting {
  config: Record<string, unknown>;
  shapes: Record<string, number[]>;
}

const path = (folder: string, file: string) =>
  fileURLToPath(new URL(`../fixtures/${folder}/${file}`, import.meta.url));

export function readSettings(folder: string): Record<string, Setting> {
  return JSON.parse(readFileSync(path(folder, "settings.json"), "utf8"));
}

/** The golden tensors of one setting; the caller disposes them. */
export async function readGolden(folder: string, name: string): Promise<StateDict> {
  const all = Object.entries(await readSafetensors(path(folder, "golden.safetensors")));
  tf.dispose(all.filter(([key]) => !key.startsWith(`${name}/`)).map(([, tensor]) => tensor));
  return Object.fromEntries(
    all.flatMap(([key, tensor]) =>
      key.startsWith(`${name}/`) ? [[key.slice(name.length + 1), tensor]] : [],
    ),
  );
}

/** Gives a model the weights that the script gives diffusers' by a formula. */
export function giveWeights<M extends Module>(model: M, shapes: Setting["shapes"]): M {
  const weights = Object.entries(shapes).map(([name, shape], k) => {
    const one = shape.length === 1 && name.endsWith("weight") ? 1 : 0;
    const values = Float32Array.from(
      { length: tf.util.sizeFromShape(shape) },
      (_, i) => one + 0.3 * Math.sin(12.9898 * i + 78.233 * k),
    );
    return [name, tf.tensor(values, shape)] as const;
  });
  model.loadStateDict(Object.fromEntries(weights));
  tf.dispose(weights.map(([, tensor]) => tensor));
  return model;
}
