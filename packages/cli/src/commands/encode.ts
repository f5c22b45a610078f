import { resolve, sep } from "node:path";
import { openImages } from "@dcr-js/data";
import { initialize, writeSafetensors } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import type { Command } from "commander";
import type { CommandContext } from "../command-line/command-context.js";
import { addDeviceOption, type DeviceOption } from "../command-line/device-option.js";
import { namingOption } from "../command-line/naming-option.js";
import { checkOutputFile, refuseOtherThanSafetensors } from "../command-line/output-file.js";
import { text } from "../command-line/parse-option.js";
import { absolutePath, resolveModelName } from "../config/resolve-paths.js";
import { checkNames } from "../evaluate/check-names.js";
import { encodeDataset } from "../evaluate/encode-dataset.js";
import { loadWholeEncoder } from "../evaluate/loaded-encoder.js";
import { readEncoderShape } from "../models/model-shapes.js";
import { resolveEncoder } from "../models/resolve-models.js";

interface Options extends DeviceOption {
  encoder: string;
  revision?: string;
  images: string;
  out: string;
}

export function addEncodeCommand(program: Command, context: CommandContext): void {
  const command = program
    .command("encode")
    .description(
      'Writes the features of images: a safetensors file with "features" [n, d], not L2-normalised, and the images\' names, sorted, as JSON in its metadata.',
    )
    .requiredOption("--encoder <folder|id>", "CLIP or SigLIP: a Hugging Face folder or hub id", text)
    .option("--revision <name>", "branch, tag or commit of the encoder's hub id; main by default", text)
    .requiredOption("--images <where>", "a folder, tar shards, or a .csv or .jsonl file", text)
    .requiredOption("--out <file>", "the safetensors file", text)
    .addHelpText(
      "after",
      "\nExample:\n  dcr encode --encoder runs/photos/encoder --images photos --out features.safetensors",
    );
  addDeviceOption(command).action(async (options: Options) => {
    const out = absolutePath(options.out, context.base);
    checkOutputFile(out);
    refuseOtherThanSafetensors(out);
    const dataset = await namingOption("--images", () =>
      openImages(absolutePath(options.images, context.base), { log: (line) => console.error(line) }),
    );
    checkNames(dataset);
    const folder = await resolveEncoder(
      { encoder: resolveModelName(options.encoder, context.base), encoderRevision: options.revision },
      "--revision",
    );
    refuseModelFile(out, resolve(folder));
    await readEncoderShape(folder);
    await initialize({ device: options.device });
    const loaded = await loadWholeEncoder(folder);
    try {
      const { features: unsorted, names } = await encodeDataset(dataset, loaded);
      // Tar files hold images in an order of their own.
      const order = names.map((_, i) => i).sort((a, b) => (names[a]! < names[b]! ? -1 : 1));
      const features = tf.tidy(() => tf.gather(unsorted, tf.tensor1d(order, "int32")));
      unsorted.dispose();
      const metadata = { names: JSON.stringify(order.map((i) => names[i])) };
      try {
        await writeSafetensors(out, { features }, { metadata, finite: true });
      } finally {
        features.dispose();
      }
      console.log(`features: ${options.out}, [${features.shape}]`);
    } finally {
      loaded.dispose();
    }
  });
}

/** @throws where the output may take the place of a part of the encoder */
function refuseModelFile(out: string, encoder: string): void {
  if (!out.startsWith(`${encoder}${sep}`)) return;
  throw new Error(`--out: ${out} is in the encoder's folder, a file of which it may replace; take another`);
}
