import { addLoRA, type ImageEncoder, type LoRA } from "@dcr-js/encoders";
import { Random } from "@dcr-js/tensor";
import type { RunConfig } from "../config/run-config.js";

/** Attaches a configuration's adapters to an encoder. @throws where `targetModules` name no layer that can have one */
export function addAdapters(encoder: ImageEncoder, lora: RunConfig["lora"], seed: number): LoRA {
  const { rank, alpha, dropout, bias, targetModules } = lora;
  return addLoRA(encoder, {
    rank,
    alpha,
    dropout,
    bias,
    targetModules,
    random: new Random(seed).fork("lora"),
  });
}
