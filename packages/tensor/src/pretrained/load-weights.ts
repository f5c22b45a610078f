import * as tf from "@tensorflow/tfjs-core";
import { keptElements } from "../backend/webgpu/store.js";
import { WebGPUBackend } from "../backend/webgpu/webgpu-backend.js";
import type { WeightsReader } from "../io/files.js";
import type { Module } from "../nn/module.js";
import type { Parameter } from "../nn/parameter.js";
import { hasFloat16Storage } from "../ops/store-as.js";
import { checkChoice, checkOptions } from "../shared/check-options.js";
import { shown } from "../shared/shown.js";
import { type PretrainedOptions, pretrainedOptionNames } from "./pretrained-options.js";
import { openWeights } from "./weights-files.js";

/** Where a model's weights lie, and under which names. */
export interface WeightsPlace extends PretrainedOptions {
  /** The weights' file without its ending: `"model"` in transformers' folders, `"diffusion_pytorch_model"` in diffusers'. */
  baseName: "model" | "diffusion_pytorch_model";
  /**
   * The model's names of the weights in the file. What it leaves out stays in the file; a name that the model does not have
   * is an error. Default: the same names.
   *
   * @param inFile every name in the file
   */
  names?: (inFile: readonly string[]) => ReadonlyMap<string, string>;
}

/**
 * Gives a new model the weights of its folder, one tensor after the other, so that no more than the model and one tensor are in
 * memory. Names and shapes are checked before the first tensor is read. Node only.
 *
 * @param model a model without weights
 * @param folder the folder with its safetensors file or shards
 * @returns the model
 * @throws naming the file and every weight that is missing, not the model's, or of another shape; a weight that is not finite; for float16 on a backend
 * or an adapter that cannot store it. The model has no weights then.
 */
export async function loadWeights<M extends Module>(
  model: M,
  folder: string,
  place: WeightsPlace,
): Promise<M> {
  const who = `${model.constructor.name}.fromPretrained`;
  const given = checkOptions<WeightsPlace>(who, place, {
    ...pretrainedOptionNames,
    baseName: true,
    names: "function",
  });
  const { baseName, storage = "float32", variant, names = sameNames } = given;
  checkChoice(`${who}: baseName`, baseName, ["model", "diffusion_pytorch_model"]);
  checkChoice(`${who}: storage`, storage, ["float32", "float16"]);
  if (storage === "float16" && !hasFloat16Storage()) {
    throw new Error(
      `${who}: storage "float16" needs WebGPU on an adapter with shader-f16 ` +
        `(hasFloat16Storage() is false on backend "${tf.getBackend()}"); use "float32"`,
    );
  }
  const reader = await openWeights(folder, baseName, { storage, variant, finite: true });
  try {
    const parameters = match(`${who}: ${folder}`, model, reader, names(reader.keys()));
    if (storage === "float16") model.requiresGrad(false);
    // The largest first: what a convolution's weight leaves free when it changes its layout, a smaller one takes.
    parameters.sort(([, a], [, b]) => sizeOf(b) - sizeOf(a));
    const backend = tf.backend();
    let sent = 0;
    for (const [inFile, parameter] of parameters) {
      const tensor = await reader.tensor(inFile);
      try {
        parameter.fromState(tensor);
      } finally {
        tensor.dispose();
      }
      // Small ones stay on the host until they are used, where scalars can be read at once.
      if (!(backend instanceof WebGPUBackend) || sizeOf(parameter) <= keptElements) continue;
      backend.upload(parameter.value.dataId);
      sent += sizeOf(parameter);
      if (sent < MOST_SENT) continue;
      await backend.uploaded();
      sent = 0;
    }
  } catch (error) {
    model.dispose();
    throw error;
  } finally {
    await reader.close();
  }
  return model;
}

/** Elements that are sent to a WebGPU device before the host waits for it: until then it holds copies of them. */
const MOST_SENT = 2 ** 22;

const sizeOf = ({ shape }: Parameter): number => tf.util.sizeFromShape(shape);

/** Older checkpoints hold the positions 0, 1, 2... as a buffer. */
const sameNames = (inFile: readonly string[]): Map<string, string> =>
  new Map(inFile.filter((name) => !name.endsWith("embeddings.position_ids")).map((name) => [name, name]));

/** Errors name this many weights and count the rest. */
const LISTED = 5;

/** The model's parameters by the names that they have in the file, in the file's order. */
function match(
  who: string,
  model: Module,
  reader: WeightsReader,
  names: ReadonlyMap<string, string>,
): [string, Parameter][] {
  const missing = new Map(model.namedParameters());
  const faults: string[] = [];
  const parameters: [string, Parameter][] = [];
  for (const [inFile, name] of names) {
    const parameter = missing.get(name);
    if (!parameter) {
      faults.push(`unexpected weight ${shown(inFile)}`);
      continue;
    }
    missing.delete(name);
    const { shape, dtype } = reader.info(inFile);
    if (String(shape) !== String(parameter.stateShape)) {
      faults.push(`weight ${shown(inFile)} has shape [${shape}], expected [${parameter.stateShape}]`);
    }
    // Quantized weights, for example, whose scales nobody would apply.
    if (!/^B?F\d/.test(dtype)) faults.push(`weight ${shown(inFile)} is ${dtype}, expected floats`);
    parameters.push([inFile, parameter]);
  }
  for (const name of missing.keys()) faults.push(`weight ${shown(name)} is missing`);
  if (faults.length === 0) return parameters;
  const more = faults.length > LISTED ? `; and ${faults.length - LISTED} more` : "";
  throw new Error(`${who}: ${faults.slice(0, LISTED).join("; ")}${more}`);
}
