import {
  createDenoiser,
  createEnhancementStage,
  createLatentEncoder,
  objectives,
  Projector,
} from "@dcr-js/dcr";
import { loadStableDiffusion } from "@dcr-js/diffusion";
import { loadImageEncoder } from "@dcr-js/encoders";
import { type Module, type Parameter, readSafetensors } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import createSource from "../training-images.js";
import type { Cell } from "./cells.js";
import { measurementFile } from "./measurement-file.js";
import { trainedEncoders } from "./trained-encoders.js";

/** The encoders that are measured: as it was, and as question 1 trained it. */
const methods = ["original", "naive chosen"] as const;
export const timesteps = [100, 300, 500, 700, 900] as const;
const batchSize = 8;

/** Cosines of the two losses' gradients in a run, by method, layer and timestep; one for each batch. */
export interface LayerConflictResult {
  /** How many weights each layer has. */
  weights: Record<string, number>;
  methods: Record<string, Record<string, Record<string, number[]>>>;
}

export const layerConflictFile = measurementFile<LayerConflictResult>("question-4-layers");

/**
 * Measures, for the encoders of a finished cell of question 1, how the gradients of the contrastive loss and of the reconstruction loss stand to
 * one another in each layer and at each timestep, and writes it.
 *
 * @throws where the cell's encoders are not there
 */
export async function measureLayerConflict(cell: Cell): Promise<void> {
  const { encoder, projector, diffusion } = trainedEncoders(cell);
  const result: LayerConflictResult = { weights: {}, methods: {} };
  for (const method of methods) {
    const models = { encoder: encoder(method), projector: projector(method), diffusion, seed: cell.seed };
    const { weights, cosines } = await conflictOf(models);
    result.weights = weights;
    result.methods[method] = cosines;
  }
  await layerConflictFile.write(cell, result);
}

export interface MeasuredModels {
  encoder: string;
  diffusion: string;
  projector: string;
  seed: number;
}

/** Cosines by layer and timestep, each over batches that are the same for all layers. */
export async function conflictOf(
  { encoder: folder, diffusion, projector: projectorFile, seed }: MeasuredModels,
  measured: { batches: number; timesteps: readonly number[] } = { batches: 16, timesteps },
): Promise<{ weights: Record<string, number>; cosines: Record<string, Record<string, number[]>> }> {
  const { encoder, processor, dispose } = await loadImageEncoder(folder, { text: false });
  const { vae, scheduler, unet, textEncoder, tokenizer } = await loadStableDiffusion(diffusion);
  const denoiser = createDenoiser({ unet, textEncoder, tokenizer });
  const latents = createLatentEncoder(vae);
  const projector = new Projector(encoder.featureSize, denoiser.conditionSize);
  const projectorWeights = await readSafetensors(projectorFile, { finite: true });
  try {
    projector.loadStateDict(projectorWeights);
    const layers = layersOf(encoder);
    const cosines: Record<string, Record<string, number[]>> = {};
    for (const [layer, parameters] of layers) {
      cosines[layer] = {};
      for (const timestep of measured.timesteps) {
        const source = await createSource({
          size: encoder.imageSize,
          batchSize,
          seed,
          augment: { colorJitter: 0.1, hue: 0.05, horizontalFlip: 0, verticalFlip: 0 },
          strict: true,
          log: console.error,
        });
        const stage = createEnhancementStage({
          objective: objectives.naive(),
          adapters: { parameters: () => parameters },
          ...{ source, processor, encoder, projector, denoiser, scheduler, latents, seed },
          ...{ conflict: true, chunk: 0, encoderMicroBatch: 0 },
          timestepRange: [timestep, timestep + 1],
          // The weights stay as they are.
          ...{ learningRate: 0, weightDecay: 0 },
        });
        try {
          cosines[layer][timestep] = [];
          for (let step = 0; step < measured.batches; step++) {
            const { conflict } = await stage.step();
            cosines[layer][timestep].push(conflict!.pairs[0].cosine);
          }
        } finally {
          stage.dispose();
          await source.close();
        }
      }
    }
    const sizeOf = (parameters: Parameter[]) =>
      parameters.reduce((sum, { shape }) => sum + tf.util.sizeFromShape(shape), 0);
    return {
      weights: Object.fromEntries(Array.from(layers, ([layer, own]) => [layer, sizeOf(own)])),
      cosines,
    };
  } finally {
    tf.dispose(projectorWeights as tf.NamedTensorMap);
    for (const model of [vae, unet, textEncoder]) model.dispose();
    denoiser.dispose();
    latents.dispose();
    projector.dispose();
    dispose();
  }
}

/** The image tower's parameters by layer, in the order of the forward pass; the norms before and after all layers belong to none. */
function layersOf(encoder: Pick<Module, "namedParameters">): Map<string, Parameter[]> {
  const layers = new Map<string, Parameter[]>();
  for (const [name, parameter] of encoder.namedParameters()) {
    const index = /\.layers\.(\d+)\./.exec(name)?.[1];
    const layer =
      index !== undefined
        ? `layer ${Number(index) + 1}`
        : name.includes("embeddings")
          ? "embeddings"
          : name.startsWith("visual_projection")
            ? "projection"
            : undefined;
    if (layer) layers.set(layer, [...(layers.get(layer) ?? []), parameter]);
  }
  const order = (name: string) => ["embeddings", "layer", "projection"].indexOf(name.split(" ")[0]);
  return new Map([...layers].sort(([a], [b]) => order(a) - order(b) || a.localeCompare(b)));
}
