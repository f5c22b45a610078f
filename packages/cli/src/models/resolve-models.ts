import { resolveModel } from "@dcr-js/tensor";
import type { RunConfig } from "../config/run-config.js";
import { formatBytes } from "../plan/format-bytes.js";

/** Folders of a diffusers model that are read. */
const diffusionParts = [
  ...["scheduler", "tokenizer", "text_encoder", "vae", "unet"],
  // Of Stable Diffusion XL.
  ...["tokenizer_2", "text_encoder_2"],
];

/** The folder of an encoder, which is downloaded where the hub alone has it. */
export const resolveEncoder = (name: string): Promise<string> =>
  named("--encoder", () => resolveModel(name, { onProgress: showDownload }));

/** The folder of a diffusion model, of which the parts and the variant that are read are downloaded. */
export const resolveDiffusion = ({ diffusion, variant }: Pick<RunConfig, "diffusion" | "variant">): Promise<string> =>
  named("--diffusion", () =>
    resolveModel(diffusion, {
      subfolders: diffusionParts,
      onProgress: showDownload,
      ...(variant && { variant }),
    }),
  );

async function named<T>(option: string, resolve: () => Promise<T>): Promise<T> {
  try {
    return await resolve();
  } catch (error) {
    throw new Error(`${option}: ${(error as Error).message}`, { cause: error });
  }
}

let shownAt = 0;
/** A line on standard error now and then, so that a pipe's reader sees results alone. */
function showDownload({ file, bytes, total }: { file: string; bytes: number; total: number }): void {
  const now = performance.now();
  if (now - shownAt < 5000) return;
  shownAt = now;
  console.error(`downloading ${file}: ${formatBytes(bytes)} of ${formatBytes(total)}`);
}
