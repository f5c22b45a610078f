import { Random, readSafetensors } from "@dcr-js/tensor";
import { TSNE } from "@keckelt/tsne";
import * as tf from "@tensorflow/tfjs-core";

/** A t-SNE map (van der Maaten & Hinton 2008) of a job's features; the same for the same features. */
export async function tsneMap(path: string): Promise<{ x: number; y: number; label: number }[]> {
  const stored = await readSafetensors(path);
  const features = tf.tidy(() => {
    const x = stored.features;
    return tf.div(x, tf.norm(x, 2, 1, true)).arraySync() as number[][];
  });
  const labels = Array.from(await stored.labels.data());
  tf.dispose(stored);
  const random = new Random(0);
  const tsne = new TSNE({ dim: 2, perplexity: 20, epsilon: 10 });
  // The library draws its start from Math.random.
  const original = Math.random;
  Math.random = () => random.number();
  try {
    tsne.initDataRaw(features);
  } finally {
    Math.random = original;
  }
  for (let i = 0; i < 300; i++) tsne.step();
  const solution = tsne.getSolution() as number[][];
  return solution.map(([x, y], i) => ({ x, y, label: labels[i] }));
}
