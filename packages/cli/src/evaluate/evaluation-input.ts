import type { Section } from "@dcr-js/eval";
import type { LoadedEncoder } from "./loaded-encoder.js";

/** An evaluation reads from this; a user's module gets it as its one argument. */
export interface EvaluationInput extends LoadedEncoder {
  /** Of what is random in the evaluation, such as the centres of k-means. */
  seed: number;
  /** The trained projector's file, where the encoder was trained here. */
  projector?: string;
  /** The diffusion model's folder or hub id, where the encoder was trained here. */
  diffusion?: string;
  /** Adds a section to the page that `dcr evaluate --out` writes; not there where no page is asked for. */
  addSection?: (section: Section) => void;
}
