// Peak memory of loading a model beside the bytes of its weights: resident memory (VmHWM) of a fresh process that makes a file of
// random weights and of one that loads it, less what the process holds before. Linux only.
//
// Usage: node scripts/load-memory.mjs [wasm] [software] [--megabytes 500]

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import * as tf from "@tensorflow/tfjs-core";
import {
  Conv2d,
  Embedding,
  initialize,
  Linear,
  loadWeights,
  Module,
  Random,
  writeSafetensors,
} from "../dist/index.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    megabytes: { type: "string", default: "500" },
    load: { type: "string" },
    make: { type: "string" },
    device: { type: "string", default: "cpu" },
    storage: { type: "string", default: "float32" },
    dtype: { type: "string", default: "F32" },
  },
});

/** A token table, linear layers and convolutions in the proportions of a text tower and a UNet. */
class Model extends Module {
  constructor(megabytes) {
    super();
    this.table = new Embedding(32_768, 768);
    this.layers = [];
    this.convs = [];
    let bytes = 4 * 32_768 * 768;
    while (bytes < megabytes * 1e6) {
      this.layers.push(new Linear(1024, 4096));
      this.convs.push(new Conv2d(640, 640, 3));
      bytes += 4 * (1024 * 4096 + 4096 + 9 * 640 * 640 + 640);
    }
  }
}

const resident = (name) =>
  Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(readFileSync("/proc/self/status", "utf8"))[1]) * 1024;
const megabytes = Number(values.megabytes);

if (values.make) {
  await initialize({ device: "cpu" });
  const model = new Model(megabytes).initialize(new Random(0));
  await writeSafetensors(join(values.make, "model.safetensors"), model.stateDict(), { dtype: values.dtype });
} else if (values.load) {
  await initialize({ device: values.device });
  const before = resident("VmRSS");
  const started = performance.now();
  const model = await loadWeights(new Model(megabytes), values.load, {
    baseName: "model",
    storage: values.storage,
  });
  const seconds = (performance.now() - started) / 1000;
  const weights = model
    .parameters()
    .reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, values.storage === "float16" ? 2 : 4), 0);
  const peak = resident("VmHWM") - before;
  // The first use sends to the device what lies on the host.
  for (const { value } of model.parameters()) {
    const largest = tf.max(value);
    await largest.data();
    largest.dispose();
  }
  console.log(JSON.stringify({ weights, peak, used: resident("VmHWM") - before, seconds }));
} else {
  const folder = mkdtempSync(join(tmpdir(), "load-memory-"));
  const run = (...args) =>
    execFileSync(process.execPath, [import.meta.filename, "--megabytes", values.megabytes, ...args], {
      encoding: "utf8",
      maxBuffer: 1e8,
    });
  try {
    for (const dtype of ["F32", "F16"]) {
      run("--make", folder, "--dtype", dtype);
      const file = statSync(join(folder, "model.safetensors")).size;
      for (const device of positionals.length > 0 ? positionals : ["wasm", "software"]) {
        for (const storage of device === "software" ? ["float32", "float16"] : ["float32"]) {
          const line = run("--load", folder, "--device", device, "--storage", storage)
            .trim()
            .split("\n")
            .at(-1);
          const { weights, peak, used, seconds } = JSON.parse(line);
          console.log(
            `${device} ${storage} from ${dtype}: file ${(file / 1e6).toFixed(0)} MB, weights ${(weights / 1e6).toFixed(0)} MB, ` +
              `peak ${(peak / 1e6).toFixed(0)} MB (${(peak / weights).toFixed(2)} times), with the first use of each weight ` +
              `${(used / 1e6).toFixed(0)} MB (${(used / weights).toFixed(2)} times), ${seconds.toFixed(1)} s`,
          );
        }
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}
