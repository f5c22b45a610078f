import type { Section } from "@dcr-js/eval";
import type { LoadedEncoder } from "./loaded-encoder.js";

/** An evaluation reads from this; a user's module gets it as its one argument. */
export interface EvaluationInput extends LoadedEncoder {
  /** The seed of the evaluation's random choices, such as the centres of k-means. */
  seed: number;
  /** The projector's file, in a run with one: trained, or for `original` that of stage 1. */
  projector?: string;
  /** The diffusion model's folder, in a run. */
  diffusion?: string;
  /** Adds a section to the page that `dcr evaluate --out` writes; not there where no page is asked for. */
  addSection?: (section: Section) => void;
}
