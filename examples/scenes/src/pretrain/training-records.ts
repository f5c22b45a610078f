import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ClipFigures } from "./clip-figures.js";
import type { DenoisingLosses } from "./denoising-losses.js";
import type { VaeFigures } from "./vae-figures.js";

/** The record of a model's training, kept beside it. */
export interface TrainingRecord<Figures> {
  seed: number;
  steps: number;
  /** Time of the training, on a machine that also did other work. */
  seconds: number;
  figures: Figures;
}

export interface SetRecords {
  /** The folder's name, such as "set-0". */
  name: string;
  clip: TrainingRecord<ClipFigures>;
  vae: TrainingRecord<VaeFigures>;
  denoiser: TrainingRecord<DenoisingLosses>;
}

/** The records of all sets in a folder whose training is complete, in order. */
export function readRecords(models: string): SetRecords[] {
  const path = (name: string, part: string) => join(models, name, "training", `${part}.json`);
  const parts = ["clip", "vae", "denoiser"];
  return readdirSync(models)
    .filter((name) => parts.every((part) => existsSync(path(name, part))))
    .sort()
    .map((name) => {
      const records = parts.map((part) => [part, JSON.parse(readFileSync(path(name, part), "utf8"))]);
      return { name, ...Object.fromEntries(records) } as SetRecords;
    });
}
