import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { initialize } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { Command, InvalidArgumentError } from "commander";
import { prepareStep } from "./cases/dcr-step.js";

/** The memory of one step of a batch size. */
interface Memory {
  batchSize: number;
  /** The most bytes that tensors held at one time, models included. */
  tensorBytes: number;
  /** The bytes that live from step to step: models, optimizer and the like. */
  steadyBytes: number;
  /** The largest resident set of the process. */
  residentBytes: number;
}

/** The most bytes of tensors that are alive at one time while `work` runs. */
async function peakBytes(work: () => Promise<unknown>): Promise<number> {
  const engine = tf.engine();
  const track = engine.trackTensor.bind(engine);
  let peak = tf.memory().numBytes;
  engine.trackTensor = (tensor, backend) => {
    track(tensor, backend);
    peak = Math.max(peak, engine.state.numBytes);
  };
  try {
    await work();
  } finally {
    engine.trackTensor = track;
  }
  return peak;
}

async function measure(batchSize: number, device: string): Promise<Memory> {
  await initialize({ device: device as "wasm" });
  const step = await prepareStep({ batchSize, dropout: 0.1 });
  tf.dispose(await step.run());
  const steadyBytes = tf.memory().numBytes;
  const tensorBytes = await peakBytes(async () => tf.dispose(await step.run()));
  step.dispose();
  // In KiB on Linux and macOS.
  return { batchSize, tensorBytes, steadyBytes, residentBytes: process.resourceUsage().maxRSS * 1024 };
}

/** Measures a batch size in a process of its own: a process does not give its memory back. */
function measureApart(batchSize: number, device: string): Promise<Memory> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), ["--worker", String(batchSize), "--device", device]);
    let result: Memory | undefined;
    child.on("message", (message) => {
      result = message as Memory;
    });
    child.on("exit", (code) => {
      if (result) resolve(result);
      else reject(new Error(`the step of ${batchSize} images ended with code ${code}`));
    });
  });
}

function batchSizes(list: string): number[] {
  const sizes = list.split(",").map(Number);
  if (sizes.every((size) => Number.isInteger(size) && size >= 2 && 32 % size === 0)) return sizes;
  throw new InvalidArgumentError("expected batch sizes that divide 32, separated by commas.");
}

const program = new Command()
  .description("Memory of a DCR step on the scenes' models, over the batch size N.")
  .option("--batch-sizes <list>", "batch sizes, each a divisor of 32", batchSizes, [4, 16])
  .option("--device <name>", "cpu, wasm or webgpu", "wasm")
  .option("--worker <n>", "measure one batch size, for the process that asked")
  .parse();
const options = program.opts<{ batchSizes: number[]; device: string; worker?: string }>();
if (options.worker !== undefined) {
  process.send?.(await measure(Number(options.worker), options.device));
  process.disconnect?.();
} else {
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  const results: Memory[] = [];
  for (const size of options.batchSizes) results.push(await measureApart(size, options.device));
  for (const { batchSize, tensorBytes, steadyBytes, residentBytes } of results) {
    console.log(
      `N = ${batchSize}: tensors at most ${mib(tensorBytes)} (${mib(steadyBytes)} between steps), process ${mib(residentBytes)}`,
    );
  }
  const [first, last] = [results[0], results[results.length - 1]];
  if (first !== last) {
    console.log(
      `N = ${last.batchSize} over N = ${first.batchSize}: tensors ${(last.tensorBytes / first.tensorBytes).toFixed(2)}, ` +
        `process ${(last.residentBytes / first.residentBytes).toFixed(2)}`,
    );
  }
}
