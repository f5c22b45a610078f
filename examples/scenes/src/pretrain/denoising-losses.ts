import { DDPMScheduler, type StableDiffusion } from "@dcr-js/diffusion";
import { Random } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { completeCaption } from "../scenes/captions.js";
import { seenStyles } from "../scenes/factors.js";
import { sceneSet } from "../scenes/splits.js";
import type { Sprites } from "../scenes/sprites.js";
import { latentsOf } from "./latents.js";

/** Mean squared error of the predicted noise, the same noise for the three captions. */
export interface DenoisingLoss {
  timestep: number;
  /** With all that can be said of the scene. */
  right: number;
  /** With the caption of another scene. */
  wrong: number;
  empty: number;
}

export interface DenoisingLosses {
  scenes: number;
  byTimestep: DenoisingLoss[];
}

const SCENES = 500;
const timestepsOfRecord = [100, 300, 500, 700, 900];

/**
 * Denoising losses on validation scenes of all identities. The noise is a function of the timestep, so that a part of the timesteps gives the
 * same figures as all of them.
 */
export function denoisingLosses(
  { unet, vae, textEncoder, tokenizer, scheduler }: StableDiffusion,
  sprites: Sprites,
  timesteps: readonly number[] = timestepsOfRecord,
): DenoisingLosses {
  const random = new Random(0).fork("denoising losses");
  const set = sceneSet({
    split: "validation",
    name: "denoising",
    count: SCENES,
    sprites,
    styles: seenStyles,
  });
  const right = set.scenes.map(completeCaption);
  const captions = { right, wrong: [...right.slice(1), right[0]], empty: right.map(() => "") };
  const states = Object.entries(captions).map(
    ([name, texts]) =>
      [name, tf.tidy(() => textEncoder.forward(tokenizer.encode(texts)).lastHiddenState)] as const,
  );
  const x0 = latentsOf(vae, set);
  const noising = new DDPMScheduler(scheduler.config);
  const byTimestep = timesteps.map((timestep) =>
    tf.tidy(() => {
      const rows = new Int32Array(SCENES).fill(timestep);
      const noise = random.fork(timestep).normal(x0.shape) as tf.Tensor4D;
      const noisy = noising.addNoise(x0, noise, rows);
      const losses = states.map(([name, encoderHiddenStates]) => {
        const predicted = unet.forward(noisy, tf.tensor1d(rows, "int32"), { encoderHiddenStates });
        return [name, tf.mean(tf.square(tf.sub(predicted, noise))).dataSync()[0]] as const;
      });
      return { timestep, ...(Object.fromEntries(losses) as Omit<DenoisingLoss, "timestep">) };
    }),
  );
  tf.dispose([x0, ...states.map(([, state]) => state)]);
  return { scenes: SCENES, byTimestep };
}
