import { existsSync } from "node:fs";
import { type DownloadProgress, resolveModel } from "@dcr-js/tensor";
import { namingOption } from "../command-line/naming-option.js";
import type { RunConfig } from "../config/run-config.js";
import { formatBytes } from "../plan/format-bytes.js";

/** Folders of a diffusers model that are read. */
export const diffusionParts = [
  ...["scheduler", "tokenizer", "text_encoder", "vae", "unet"],
  // Stable Diffusion XL has two more.
  ...["tokenizer_2", "text_encoder_2"],
];

/** A model's name and the option that asked for a revision of it. */
interface WantedRevision {
  name: string;
  revision?: string;
  option: string;
}

/** @throws where a local folder, which has no revisions, should be of one */
function checkRevision({ name, revision, option }: WantedRevision): void {
  if (revision === undefined || !existsSync(name)) return;
  throw new Error(`${option}: ${name} is a folder and has no revisions; omit ${option}, or name a hub id`);
}

/**
 * The folder of an encoder, which is downloaded where only the hub has it.
 *
 * @param option by which the revision was asked for
 */
export async function resolveEncoder(
  { encoder, encoderRevision: revision }: Pick<RunConfig, "encoder" | "encoderRevision">,
  option = "--encoder-revision",
): Promise<string> {
  checkRevision({ name: encoder, option, ...(revision !== undefined && { revision }) });
  return namingOption("--encoder", () =>
    resolveModel(encoder, { onProgress: showDownload(encoder), ...(revision !== undefined && { revision }) }),
  );
}

/** The folder of a diffusion model, of which the parts and the variant that are read are downloaded. */
export async function resolveDiffusion({
  diffusion,
  diffusionRevision: revision,
  variant,
}: Pick<RunConfig, "diffusion" | "diffusionRevision" | "variant">): Promise<string> {
  const given = revision !== undefined && { revision };
  checkRevision({ name: diffusion, option: "--diffusion-revision", ...given });
  return namingOption("--diffusion", () =>
    resolveModel(diffusion, {
      subfolders: diffusionParts,
      onProgress: showDownload(diffusion),
      ...(variant && { variant }),
      ...given,
    }),
  );
}

/** Milliseconds from one line to the next. */
const interval = 5000;

/** A line on standard error when a download begins and now and then, so that a pipe's reader sees only results. */
function showDownload(id: string): (progress: DownloadProgress) => void {
  let shownAt = Number.NEGATIVE_INFINITY;
  return ({ file, bytes, total }) => {
    const now = performance.now();
    if (now - shownAt < interval) return;
    shownAt = now;
    console.error(`downloading ${id}: ${formatBytes(bytes)} of ${formatBytes(total)}, ${file}`);
  };
}
