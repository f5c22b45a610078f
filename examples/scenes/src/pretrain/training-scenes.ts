import { knownIdentities, seenStyles, unknownIdentities } from "../scenes/factors.js";
import { type SceneSet, sceneSet } from "../scenes/splits.js";
import type { Sprites } from "../scenes/sprites.js";

/** The scenes that CLIP learns from: the identities it is to know, in the styles it is to see. */
export function clipScenes(sprites: Sprites, seed: number): SceneSet {
  const pool = { identities: knownIdentities, styles: seenStyles };
  return sceneSet({ split: "train", name: "clip", seed, count: 24_000, sprites, ...pool });
}

/** The scenes that the denoiser learns from: CLIP's, and a fourth as many of the identities that CLIP never sees. */
export function denoiserScenes(sprites: Sprites, seed: number): SceneSet {
  const known = clipScenes(sprites, seed);
  const pool = { identities: unknownIdentities, styles: seenStyles };
  const unknown = sceneSet({ split: "train", name: "denoiser", seed, count: 6_000, sprites, ...pool });
  const images = new Uint8Array(known.images.length + unknown.images.length);
  images.set(known.images);
  images.set(unknown.images, known.images.length);
  return { size: known.size, scenes: [...known.scenes, ...unknown.scenes], images };
}

/** The scenes that the models' own figures are computed with: of another split, drawn as CLIP's are. */
export function validationScenes(sprites: Sprites, count: number): SceneSet {
  const pool = { identities: knownIdentities, styles: seenStyles };
  return sceneSet({ split: "validation", name: "pretrain", count, sprites, ...pool });
}
