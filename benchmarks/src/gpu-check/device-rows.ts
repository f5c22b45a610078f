import { initialize, profile } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import type { Case } from "../case.js";
import { allCases } from "../cases/all-cases.js";
import { inOneLine } from "./in-one-line.js";
import { writeRow } from "./row-file.js";

/** The device's time for each benchmark case. Arguments: the file to write, "webgpu" or "software", a part of the names. */
const [file, kind, filter = ""] = process.argv.slice(2);
const runs = 5;

/** Runs with timestamps, after two without that compile the shaders; the fastest counts. */
async function measure({ name, flops, inputBytes, prepare }: Case): Promise<object> {
  const { run, dispose } = await prepare("ours");
  const once = async () => {
    const outputs = await run();
    const bytes = outputs.reduce((sum, { size }) => sum + 4 * size, 0);
    await outputs[outputs.length - 1]?.data();
    tf.dispose(outputs);
    return bytes;
  };
  try {
    await once();
    const outputBytes = await once();
    const times: number[] = [];
    let dispatches = 0;
    for (let i = 0; i < runs; i++) {
      const kernels = Object.values(await profile(async () => tf.dispose(await run())));
      times.push(kernels.reduce((sum, { gpuMs }) => sum + gpuMs, 0));
      dispatches = kernels.reduce((sum, kernel) => sum + kernel.dispatches, 0);
    }
    const started = performance.now();
    await once();
    const wallMs = performance.now() - started;
    const deviceMs = Math.min(...times);
    const bytes = inputBytes === undefined ? undefined : inputBytes + outputBytes;
    return {
      name,
      deviceMs,
      wallMs,
      dispatches,
      gflopPerSecond: flops === undefined ? undefined : flops / deviceMs / 1e6,
      // Of inputs and outputs only: what an op keeps between its passes is not counted.
      gbPerSecond: bytes === undefined ? undefined : bytes / deviceMs / 1e6,
    };
  } finally {
    dispose();
  }
}

await inOneLine(() => initialize({ device: kind as "webgpu" }));
for (const what of allCases.filter(({ name }) => name.includes(filter))) {
  try {
    await writeRow(file!, await measure(what));
  } catch (error) {
    await writeRow(file!, { name: what.name, error: (error as Error).message });
  }
}
process.exit();
