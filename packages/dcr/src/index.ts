export { CLIPImageProcessor, type CLIPImageProcessorConfig } from "./encoder/clip-image-processor.js";
export { CLIPModel } from "./encoder/clip-model.js";
export {
  CLIPVisionEmbeddings,
  CLIPVisionModel,
  type CLIPVisionOutput,
  CLIPVisionTransformer,
} from "./encoder/clip-vision-model.js";
export { addLoRA, LoRA, type LoRABias, LoRALinear, type LoRAOptions } from "./lora.js";
export { Projector } from "./projector.js";
