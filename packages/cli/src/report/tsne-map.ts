import { openSafetensors, Random } from "@dcr-js/tensor";
import { TSNE } from "@keckelt/tsne";
import * as tf from "@tensorflow/tfjs-core";

/** A t-SNE map (van der Maaten & Hinton 2008) of a job's features; the same for the same features. */
export async function tsneMap(path: string): Promise<{ x: number; y: number; label: string }[]> {
  const file = await openSafetensors(path);
  const classes = JSON.parse(file.metadata.classes) as string[];
  const [stored, labels] = [await file.tensor("features"), await file.tensor("labels")];
  await file.close();
  const unit = tf.tidy(() => tf.div(stored, tf.norm(stored, 2, 1, true)) as tf.Tensor2D);
  const features = await unit.array();
  const names = Array.from(await labels.data(), (label) => classes[label]);
  tf.dispose([stored, labels, unit]);
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
  return solution.map(([x, y], i) => ({ x, y, label: names[i] }));
}
