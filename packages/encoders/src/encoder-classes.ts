import { openWeights, type PretrainedOptions, readModelJson } from "@dcr-js/tensor";
import { CLIPModel } from "./clip/clip-model.js";
import { CLIPTextModel } from "./clip/clip-text-model.js";
import { CLIPTextModelWithProjection } from "./clip/clip-text-model-with-projection.js";
import { CLIPVisionModel } from "./clip/clip-vision-model.js";
import { CLIPVisionModelWithProjection } from "./clip/clip-vision-model-with-projection.js";
import type { ImageEncoder, ImageTextEncoder, TextEncoder } from "./encoder.js";
import { SiglipModel } from "./siglip/siglip-model.js";
import { SiglipTextModel } from "./siglip/siglip-text-model.js";
import { SiglipVisionModel } from "./siglip/siglip-vision-model.js";

/** A family of models: one image processor and one tokenizer for all its classes. */
export type EncoderFamily = "clip" | "siglip";

/** A class by how its models come from a folder. */
export interface Loader<M> {
  fromConfig(folder: string, options?: PretrainedOptions): Promise<M>;
  fromPretrained(folder: string, options?: PretrainedOptions): Promise<M>;
}

/** A tower that sees, or a whole model with the class of its image tower only. */
type ImageClass =
  | { load: Loader<ImageEncoder>; tower?: undefined }
  | { load: Loader<ImageTextEncoder>; tower: Loader<ImageEncoder> };

/** Classes that see, and for a whole model the class of its image tower only. */
export const imageClasses: Record<string, { family: EncoderFamily } & ImageClass> = {
  CLIPModel: { family: "clip", load: CLIPModel, tower: CLIPVisionModelWithProjection },
  CLIPVisionModelWithProjection: { family: "clip", load: CLIPVisionModelWithProjection },
  CLIPVisionModel: { family: "clip", load: CLIPVisionModel },
  SiglipModel: { family: "siglip", load: SiglipModel, tower: SiglipVisionModel },
  SiglipVisionModel: { family: "siglip", load: SiglipVisionModel },
};

/** Classes that read. Of a whole model the text tower is taken. */
export const textClasses: Record<string, { family: EncoderFamily; load: Loader<TextEncoder> }> = {
  CLIPModel: { family: "clip", load: CLIPTextModelWithProjection },
  CLIPTextModelWithProjection: { family: "clip", load: CLIPTextModelWithProjection },
  CLIPTextModel: { family: "clip", load: CLIPTextModel },
  SiglipModel: { family: "siglip", load: SiglipTextModel },
  SiglipTextModel: { family: "siglip", load: SiglipTextModel },
};

/** The class of a config.json that names none: by its model_type, and for towers of CLIP by whether there is a projection. */
const byModelType: Record<string, readonly [plain: string, projected?: string]> = {
  clip: ["CLIPModel"],
  clip_vision_model: ["CLIPVisionModel", "CLIPVisionModelWithProjection"],
  clip_text_model: ["CLIPTextModel", "CLIPTextModelWithProjection"],
  siglip: ["SiglipModel"],
  siglip_vision_model: ["SiglipVisionModel"],
  siglip_text_model: ["SiglipTextModel"],
};

/**
 * The class that config.json names, or that its model_type stands for.
 *
 * @param options `known`: the classes that will do; `variant`: of the weights' file, which may have to tell
 */
export async function architectureOf(
  folder: string,
  what: string,
  { known, variant }: { known: Readonly<Record<string, unknown>>; variant?: string },
): Promise<string> {
  const { architectures, model_type: type } = await readModelJson(folder, "config.json", what);
  const named = Array.isArray(architectures) ? (architectures[0] as unknown) : undefined;
  const found = named ?? (await architectureByType(folder, type, variant));
  if (typeof found === "string" && Object.hasOwn(known, found)) return found;
  const came =
    named === undefined ? `model_type ${JSON.stringify(type)} without architectures` : JSON.stringify(named);
  throw new Error(
    `${what}: config.json in ${folder} must name one of ${Object.keys(known).join(", ")}, got ${came}`,
  );
}

async function architectureByType(
  folder: string,
  type: unknown,
  variant: string | undefined,
): Promise<string | undefined> {
  if (typeof type !== "string" || !Object.hasOwn(byModelType, type)) return undefined;
  const [plain, projected] = byModelType[type]!;
  if (projected === undefined) return plain;
  const reader = await openWeights(folder, "model", { variant });
  try {
    return reader.keys().some((name) => /^(visual|text)_projection\./.test(name)) ? projected : plain;
  } finally {
    await reader.close();
  }
}
