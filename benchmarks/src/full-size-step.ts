import { readFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { resolve } from "node:path";
import { writeFileAtomically } from "@dcr-js/tensor";
import { Command, InvalidArgumentError, Option } from "commander";
import { type FullSizeOptions, type FullSizeResult, fullSizeStep } from "./full-size/step.js";

/** A file of rows, one for each batch size. */
interface ResultFile {
  machine: string;
  ours: FullSizeResult[];
  [peer: string]: unknown;
}

const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;

function line({ batchSize, timed, ...result }: FullSizeResult): string {
  const { weightsSeconds, weightsResidentBytes, peakResidentBytes, deviceBytesAllocated } = result;
  const memory = `peak of the process ${mib(peakResidentBytes)} (${mib(weightsResidentBytes)} with the weights only), buffers of the device ${mib(deviceBytesAllocated)}`;
  const last = timed[timed.length - 1];
  if (!last) return `N = ${batchSize}: weights made in ${weightsSeconds.toFixed(0)} s; ${memory}`;
  return `N = ${batchSize}, step ${timed.length - 1}: ${last.seconds.toFixed(1)} s, ${last.cpuSeconds.toFixed(1)} CPU s, loss ${last.loss}, ${last.buffersCreated} new buffers of ${mib(last.bytesAllocated)}; ${memory}`;
}

/** Replaces the row of this batch size and keeps the others. */
async function save(path: string, row: FullSizeResult): Promise<void> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "{}";
    throw error;
  });
  const file = JSON.parse(text) as Partial<ResultFile>;
  const machine = `${cpus()[0]?.model.trim()}, ${cpus().length} cores, ${mib(totalmem())}`;
  const ours = [...(file.ours ?? []).filter(({ batchSize }) => batchSize !== row.batchSize), row].sort(
    (a, b) => a.batchSize - b.batchSize,
  );
  await writeFileAtomically(path, `${JSON.stringify({ ...file, machine, ours }, null, 2)}\n`);
}

const integer = (min: number) => (text: string) => {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min) return value;
  throw new InvalidArgumentError(`expected an integer from ${min}.`);
};

const { json, checkpointing, ...options } = new Command("npm run full-size-step -w benchmarks --")
  .description(
    "Time and memory of a DCR step at the true shapes: CLIP ViT-L/14 at 224 pixels and Stable Diffusion 2.1-base, with random weights.",
  )
  .option("--batch-size <n>", "images", integer(2), 2)
  .addOption(
    new Option("--shapes <name>", "small: few layers, to try it").choices(["full", "small"]).default("full"),
  )
  .addOption(new Option("--device <name>").choices(["webgpu", "software"]).default("software"))
  .addOption(
    new Option("--storage <name>", "of frozen weights").choices(["float16", "float32"]).default("float16"),
  )
  .option("--dropout <share>", "of the LoRA", Number, 0.1)
  .option("--checkpointing", "hold the inputs of blocks only, and compute the rest again", false)
  .option("--encoder-micro-batch <n>", "images that are encoded at once", integer(0), 1)
  .option("--chunk <n>", "predictions at once", integer(0), 4)
  .option("--steps <n>", "that are timed; the first one compiles shaders", integer(1), 1)
  .option("--profile", "one more step, with the device's time by kernel", false)
  .option("--json <file>", "adds the row to this file, after each step")
  .parse()
  .opts<Omit<FullSizeOptions, "gradientCheckpointing"> & { json?: string; checkpointing: boolean }>();

try {
  const result = await fullSizeStep({ ...options, gradientCheckpointing: checkpointing }, async (row) => {
    console.log(line(row));
    // The command was started from the repository's root, whichever folder npm runs the script in.
    if (json) await save(resolve(process.env.INIT_CWD ?? process.cwd(), json), row);
  });
  if (result.kernels) console.table(result.kernels);
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
// Dawn's device would keep the process alive.
process.exit();
