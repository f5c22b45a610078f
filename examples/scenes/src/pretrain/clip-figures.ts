import type { CLIPTokenizer } from "@dcr-js/diffusion";
import type { CLIPModel } from "@dcr-js/encoders";
import type { Sprites } from "../scenes/sprites.js";
import { factorProbes, type ProbeAccuracy } from "./factor-probes.js";
import { zeroShot } from "./zero-shot.js";

export interface ClipFigures {
  /** Share of scenes whose identity the nearest name's feature gives, in the styles of training and in the held-out one. */
  zeroShot: { seenStyles: number; heldOutStyle: number };
  /** Accuracy of a linear classifier on the feature that CLIP compares. */
  feature: ProbeAccuracy;
  /** Accuracy of one on all patch tokens. */
  patches: ProbeAccuracy;
}

export async function clipFigures(
  model: CLIPModel,
  tokenizer: CLIPTokenizer,
  sprites: Sprites,
): Promise<ClipFigures> {
  return { zeroShot: zeroShot(model, tokenizer, sprites), ...(await factorProbes(model, sprites)) };
}
