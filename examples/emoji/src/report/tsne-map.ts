import { Random, readSafetensors } from "@dcr-js/tensor";
import { TSNE } from "@keckelt/tsne";
import * as tf from "@tensorflow/tfjs-core";

/** A t-SNE map (van der Maaten & Hinton 2008) of a job's features; the same for the same features. */
export async function tsneMap(path: string): Promise<{ x: number; y: number; label: number }[]> {
  const stored = await readSafetensors(path);
  const unit = tf.tidy(() => tf.div(stored.features, tf.norm(stored.features, 2, 1, true)) as tf.Tensor2D);
  const features = await unit.array();
  unit.dispose();
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
