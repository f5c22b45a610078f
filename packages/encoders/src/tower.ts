import type { Module } from "@dcr-js/tensor";

/**
 * What the names of a tower's weights begin with in the whole model, in transformers 4, and here. transformers 5 leaves it out in the
 * class that is the tower alone (`CLIPVisionModel`, `CLIPTextModel`, `SiglipVisionModel`, `SiglipTextModel`).
 */
export class Tower {
  /** Whether the model is its folder's own class. One that was read from a whole model's folder keeps the names of the whole. */
  alone = true;

  constructor(readonly prefix: string) {}
}

/** The tower that a model's class is, or undefined for other classes. */
export function towerOf(model: Module): Tower | undefined {
  const { tower } = model as { tower?: unknown };
  return tower instanceof Tower ? tower : undefined;
}

/** Weights of a whole model or of a sibling class, which a class that has no such part leaves in the file. */
export const SIBLINGS = /^(text_model|vision_model|visual_projection|text_projection)\.|^logit_(scale|bias)$/;
