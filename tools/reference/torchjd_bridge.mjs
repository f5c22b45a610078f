/** Answers torchjd_bridge.py: a JSON line with a matrix or a Gram matrix comes in, one with the vector or the weights goes out. */
import { createInterface } from "node:readline";
import * as conflict from "@dcr-js/gradient-conflict";
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";

async function answer({ name, options, matrix, gram, step }) {
  const make = conflict[name];
  if (!make) throw new Error(`no aggregator ${name}`);
  const aggregator = make(options);
  if (gram) return Array.from(aggregator.weigh(gram.flat(), { step }).weights);
  const rows = matrix.map((row) => [tf.tensor1d(row, "float32")]);
  const result = aggregator.weigh
    ? (await conflict.aggregateGradients(aggregator, rows, { step })).gradients
    : aggregator.combine(rows, { step });
  const vector = Array.from(await result[0].data());
  tf.dispose([rows, result]);
  return vector;
}

for await (const line of createInterface({ input: process.stdin })) {
  try {
    console.log(JSON.stringify({ values: await answer(JSON.parse(line)) }));
  } catch (error) {
    console.log(JSON.stringify({ error: error.message }));
  }
}
