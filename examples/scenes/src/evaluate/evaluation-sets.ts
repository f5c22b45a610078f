import {
  heldOutStyles,
  type Identity,
  identities,
  knownIdentities,
  seenStyles,
  styles,
  unknownIdentities,
} from "../scenes/factors.js";
import type { Scene, ScenePool } from "../scenes/scene.js";
import { type ScenePairs, type Split, scenePairs, sceneSet } from "../scenes/splits.js";
import type { Sprites } from "../scenes/sprites.js";
import type { Images } from "./encode-images.js";

/** Scenes with the identity as class. */
export interface LabelledScenes extends Images {
  scenes: Scene[];
  /** The class of each scene, a place in `classes`. */
  labels: Int32Array;
  classes: readonly Identity[];
}

/** The scenes that an encoder is evaluated on. */
export interface EvaluationSets {
  /** Identities that CLIP knows, in a style that no model has seen; all factors vary. */
  heldOutStyle: LabelledScenes;
  /** Identities that CLIP has never seen, in the styles that it knows; all factors vary. */
  unknownIdentities: LabelledScenes;
  /** All identities and styles; only position and background vary, and the other factors have their first value, but large. */
  mild: LabelledScenes;
  /** Pairs of all identities and styles that differ in one factor. */
  pairs: ScenePairs;
}

export interface EvaluationSetsOptions {
  split: Split;
  seed: number;
  /** Scenes in each of the three labelled sets. */
  scenes: number;
  pairsPerFactor: number;
  /** Width and height in pixels. */
  size: number;
  sprites: Sprites;
}

/** The sets of a split and seed, rendered at the encoder's size. */
export function evaluationSets(options: EvaluationSetsOptions): EvaluationSets {
  const { split, seed, scenes: count, pairsPerFactor: perFactor, size, sprites } = options;
  const labelled = (name: string, classes: readonly Identity[], pool: ScenePool): LabelledScenes => {
    const set = sceneSet({ split, seed, count, size, sprites, name, identities: classes, ...pool });
    return {
      ...set,
      classes,
      labels: Int32Array.from(set.scenes, ({ identity }) => classes.indexOf(identity)),
    };
  };
  return {
    heldOutStyle: labelled("held-out style", knownIdentities, { styles: heldOutStyles }),
    unknownIdentities: labelled("unknown identities", unknownIdentities, { styles: seenStyles }),
    mild: labelled("mild", identities, {
      styles,
      fixed: { facing: "left", rotation: "upright", count: 1, size: "large", tint: "natural", extra: "none" },
    }),
    pairs: scenePairs({ split, seed, perFactor, size, sprites }),
  };
}
