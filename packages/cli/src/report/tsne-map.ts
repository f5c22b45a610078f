import { Random } from "@dcr-js/tensor";
import { TSNE } from "@keckelt/tsne";
import type { Evaluation } from "../evaluate/evaluation.js";
import { norm } from "./results.js";

/** A t-SNE map (van der Maaten & Hinton 2008) of features by their direction; the same for the same features. */
export function tsneMap({
  values,
  labels,
}: NonNullable<Evaluation["features"]>): { x: number; y: number; label: string }[] {
  const unit = values.map((row) => {
    const length = norm(row) || 1;
    return row.map((value) => value / length);
  });
  const random = new Random(0);
  const tsne = new TSNE({ dim: 2, perplexity: Math.min(20, (values.length - 1) / 3), epsilon: 10 });
  // The library draws its start from Math.random.
  const original = Math.random;
  Math.random = () => random.number();
  try {
    tsne.initDataRaw(unit);
  } finally {
    Math.random = original;
  }
  for (let i = 0; i < 300; i++) tsne.step();
  const solution = tsne.getSolution() as number[][];
  return solution.map(([x, y], i) => ({ x: x!, y: y!, label: labels[i]! }));
}
