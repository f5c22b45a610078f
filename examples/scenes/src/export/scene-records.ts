import { Random } from "@dcr-js/tensor";
import { clipCaption, completeCaption, fullCaption } from "../scenes/captions.js";
import { factorNames, identities, identityFacts } from "../scenes/factors.js";
import type { Scene } from "../scenes/scene.js";
import type { Split } from "../scenes/splits.js";

/** All that is known of one scene, as JSON. */
export interface SceneRecord extends Scene {
  split: Split;
  seed: number;
  /** The scene's number in its set. */
  index: number;
  /** The place of the identity among all 48. */
  label: number;
  category: string;
  /** Whether CLIP is trained on the identity. */
  known: boolean;
  /** The caption that CLIP is trained on: mostly the name. */
  clip_caption: string;
  /** The caption that the denoiser is trained on: most factors, and sometimes empty. */
  full_caption: string;
  /** Everything. */
  complete_caption: string;
}

/** The records of a set; captions are a function of split, seed and number. */
export function sceneRecords(
  scenes: readonly Scene[],
  { split, seed }: { split: Split; seed: number },
): SceneRecord[] {
  const random = new Random(seed).fork(split).fork("captions");
  return scenes.map((scene, index) => {
    const own = random.fork(index);
    return {
      ...{ split, seed, index, label: identities.indexOf(scene.identity), ...scene },
      category: identityFacts[scene.identity].category,
      known: identityFacts[scene.identity].known,
      clip_caption: clipCaption(scene, own.fork("clip")),
      full_caption: fullCaption(scene, own.fork("full")),
      complete_caption: completeCaption(scene),
    };
  });
}

/** The columns of a table of records. */
export const recordColumns = [
  ...["split", "seed", "index", "label", "identity", "category", "known", "style", ...factorNames],
  ...["clip_caption", "full_caption", "complete_caption"],
] as (keyof SceneRecord)[];
