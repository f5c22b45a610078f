import { type DownloadProgress, resolveModel } from "@dcr-js/tensor";
import { namingOption } from "../command-line/naming-option.js";
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
  namingOption("--encoder", () => resolveModel(name, { onProgress: showDownload(name) }));

/** The folder of a diffusion model, of which the parts and the variant that are read are downloaded. */
export const resolveDiffusion = ({
  diffusion,
  variant,
}: Pick<RunConfig, "diffusion" | "variant">): Promise<string> =>
  namingOption("--diffusion", () =>
    resolveModel(diffusion, {
      subfolders: diffusionParts,
      onProgress: showDownload(diffusion),
      ...(variant && { variant }),
    }),
  );

/** Milliseconds from one line to the next. */
const interval = 5000;

/** A line on standard error when a download begins and now and then, so that a pipe's reader sees results alone. */
function showDownload(id: string): (progress: DownloadProgress) => void {
  let shownAt = Number.NEGATIVE_INFINITY;
  return ({ file, bytes, total }) => {
    const now = performance.now();
    if (now - shownAt < interval) return;
    shownAt = now;
    console.error(`downloading ${id}: ${formatBytes(bytes)} of ${formatBytes(total)}, ${file}`);
  };
}
