import {
  CLIPModel,
  CLIPVisionModel,
  CLIPVisionModelWithProjection,
  type ImageEncoder,
  parseCLIPConfig,
  parseSiglipConfig,
  SiglipModel,
  SiglipVisionModel,
} from "@dcr-js/encoders";
import { type PretrainedOptions, readModelJson } from "@dcr-js/tensor";

/** A class of models. */
interface ModelClass<M extends ImageEncoder> {
  new (config: never): M;
  fromPretrained(folder: string, options?: PretrainedOptions): Promise<M>;
}

/** How an encoder lies in its folder. */
export interface EncoderForm {
  /** The image tower alone, for training. */
  tower: ModelClass<ImageEncoder>;
  /** All that the folder holds. */
  whole: ModelClass<ImageEncoder>;
  /** The image tower's settings. */
  towerConfig: object;
}

type Form = Pick<EncoderForm, "tower" | "whole"> & { towerConfig?: (config: never) => object };

const forms: Record<string, Form> = {
  CLIPModel: {
    tower: CLIPVisionModelWithProjection,
    whole: CLIPModel,
    towerConfig: (config) => parseCLIPConfig(config).vision_config,
  },
  CLIPVisionModelWithProjection: {
    tower: CLIPVisionModelWithProjection,
    whole: CLIPVisionModelWithProjection,
  },
  CLIPVisionModel: { tower: CLIPVisionModel, whole: CLIPVisionModel },
  SiglipModel: {
    tower: SiglipVisionModel,
    whole: SiglipModel,
    towerConfig: (config) => parseSiglipConfig(config).vision_config,
  },
  SiglipVisionModel: { tower: SiglipVisionModel, whole: SiglipVisionModel },
};

/** Reads which form a folder's encoder has. @throws naming the forms that are known */
export async function readEncoderForm(folder: string): Promise<EncoderForm> {
  const config = await readModelJson(folder, "config.json", "--encoder");
  const architecture = architectureOf(config);
  const form = architecture === undefined ? undefined : forms[architecture];
  if (!form) {
    const found = architecture ?? JSON.stringify(config["model_type"]);
    throw new Error(`--encoder: ${folder}: expected one of ${Object.keys(forms).join(", ")}, got ${found}`);
  }
  const { tower, whole, towerConfig = (own: never) => own } = form;
  return { tower, whole, towerConfig: towerConfig(config as never) };
}

function architectureOf(config: Record<string, unknown>): string | undefined {
  const { architectures, model_type: type } = config;
  if (Array.isArray(architectures) && typeof architectures[0] === "string") return architectures[0];
  // Configurations that were written by hand name no class.
  if (type === "clip" || (type === undefined && config["vision_config"])) return "CLIPModel";
  if (type === "siglip") return "SiglipModel";
  return undefined;
}
