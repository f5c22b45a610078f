import {
  CLIPVisionModel,
  CLIPVisionModelWithProjection,
  type ImageEncoder,
  parseCLIPConfig,
  parseSiglipConfig,
  SiglipVisionModel,
} from "@dcr-js/encoders";
import { readModelJson } from "@dcr-js/tensor";

/** Makes an image tower without weights of the settings in config.json. */
type ShapeOf = (config: never) => ImageEncoder;

const shapes: Record<string, ShapeOf> = {
  CLIPModel: (config) => new CLIPVisionModelWithProjection(parseCLIPConfig(config).vision_config),
  CLIPVisionModelWithProjection: (config) => new CLIPVisionModelWithProjection(config),
  CLIPVisionModel: (config) => new CLIPVisionModel(config),
  SiglipModel: (config) => new SiglipVisionModel(parseSiglipConfig(config).vision_config),
  SiglipVisionModel: (config) => new SiglipVisionModel(config),
};

/** The image tower of a folder without its weights. @throws naming the classes that are known */
export async function readEncoderShape(folder: string): Promise<ImageEncoder> {
  const config = await readModelJson(folder, "config.json", "--encoder");
  const architecture = architectureOf(config);
  const shape = architecture === undefined ? undefined : shapes[architecture];
  if (shape) return shape(config as never);
  const found = architecture ?? `model_type ${JSON.stringify(config["model_type"])}`;
  throw new Error(`--encoder: ${folder}: expected one of ${Object.keys(shapes).join(", ")}, got ${found}`);
}

function architectureOf(config: Record<string, unknown>): string | undefined {
  const { architectures, model_type: type } = config;
  if (Array.isArray(architectures) && typeof architectures[0] === "string") return architectures[0];
  // Configurations that were written by hand name no class.
  if (type === "clip" || (type === undefined && config["vision_config"])) return "CLIPModel";
  if (type === "siglip") return "SiglipModel";
  return undefined;
}
