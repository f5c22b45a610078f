import type { Module } from "@dcr-js/tensor";
import { SIBLINGS, towerOf } from "../tower.js";

/** peft puts this before every path. */
export const PEFT_PREFIX = "base_model.model.";

/** How an adapter file writes the paths of a model. */
export interface PeftNames {
  /** A path of the model as the file writes it. */
  inFile(path: string): string;
  /** The model's path of one in the file. */
  inModel(path: string): string;
}

const same: PeftNames = { inFile: (path) => path, inModel: (path) => path };

const without = (prefix: string): PeftNames => ({
  inFile: (path) => (path.startsWith(prefix) ? path.slice(prefix.length) : path),
  inModel: (path) => prefix + path,
});

/** As peft with transformers 5 writes them: without the prefix for a class that is a tower alone. */
export function writtenNames(model: Module): PeftNames {
  const tower = towerOf(model);
  return tower?.alone ? without(tower.prefix) : same;
}

/** As a file with these tensors has them: of transformers 4, of a whole model, or of transformers 5's class of a tower. */
export function namesOf(model: Module, tensors: readonly string[]): PeftNames {
  const tower = towerOf(model);
  if (!tower || tensors.some((name) => name.startsWith(PEFT_PREFIX + tower.prefix))) return same;
  return without(tower.prefix);
}

/** Whether a path belongs to a part of a whole model that this model does not have. */
export function isSibling(model: Module, path: string): boolean {
  const [part = ""] = path.split(".");
  return SIBLINGS.test(path) && !Object.hasOwn(model, part);
}
