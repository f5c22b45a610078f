import { TSNE } from "@keckelt/tsne";
import { UMAP } from "umap-js";
import { type Features, openFeatures } from "../features/open-features.js";
import { uniforms } from "../random.js";
import { checkFloat } from "../shared/check-float.js";
import { checkNumber, checkOptions } from "../shared/check-options.js";

export interface TSNEOptions {
  /** About how many neighbours count for a row; above 0 and less than the rows. Default: 30, or a third of the other rows where that is less. */
  perplexity?: number;
  /** Default 500. */
  iterations?: number;
  /** Default 10. */
  learningRate?: number;
  /** Default 0. */
  seed?: number;
}

export interface UMAPOptions {
  /** How many neighbours count for a row; at least 2 and less than the rows. Default: 15, or all other rows where these are fewer. */
  neighbors?: number;
  /** Least distance of points in the plane. Default 0.1. */
  minDist?: number;
  /** Default 0. */
  seed?: number;
}

/** A point in the plane for each row. */
export type Projection = [number, number][];

/**
 * t-SNE in the plane (van der Maaten & Hinton 2008), for pictures of up to some thousand rows: time and memory grow with their square.
 *
 * @param features `[n, dim]`, n >= 3
 */
export async function projectTSNE(features: Features, options?: TSNEOptions): Promise<Projection> {
  const checked = checkOptions("projectTSNE", options, {
    perplexity: true,
    iterations: true,
    learningRate: true,
    seed: true,
  });
  const { iterations = 500, learningRate = 10, seed = 0 } = checked;
  checkNumber("projectTSNE: iterations", iterations, { min: 1, integer: true });
  checkFloat("projectTSNE: learningRate", learningRate, { above: 0 });
  checkNumber("projectTSNE: seed", seed, { min: 0, integer: true });
  const rows = await readRows("projectTSNE", features);
  const perplexity = checked.perplexity ?? Math.min(30, (rows.length - 1) / 3);
  checkFloat("projectTSNE: perplexity", perplexity, { above: 0, below: rows.length });
  const tsne = new TSNE({ dim: 2, perplexity, epsilon: learningRate });
  tsne.gaussRandom = normals(seed);
  tsne.initDataRaw(rows);
  for (let i = 0; i < iterations; i++) tsne.step();
  return tsne.getSolution().map(([x, y]): [number, number] => [x, y]);
}

/**
 * UMAP in the plane (McInnes, Healy & Melville 2018).
 *
 * @param features `[n, dim]`, n >= 3
 */
export async function projectUMAP(features: Features, options?: UMAPOptions): Promise<Projection> {
  const checked = checkOptions("projectUMAP", options, { neighbors: true, minDist: true, seed: true });
  const { minDist = 0.1, seed = 0 } = checked;
  checkFloat("projectUMAP: minDist", minDist, { min: 0, max: 1 });
  checkNumber("projectUMAP: seed", seed, { min: 0, integer: true });
  const rows = await readRows("projectUMAP", features);
  const nNeighbors = checked.neighbors ?? Math.min(15, rows.length - 1);
  checkNumber("projectUMAP: neighbors", nNeighbors, { min: 2, max: rows.length - 1, integer: true });
  const umap = new UMAP({ nComponents: 2, nNeighbors, minDist, random: uniforms(seed, 0) });
  return umap.fit(rows).map(([x, y]): [number, number] => [x, y]);
}

async function readRows(caller: string, features: Features): Promise<number[][]> {
  const x = await openFeatures(`${caller}: features`, features);
  try {
    if (x.shape[0] < 3) throw new Error(`${caller}: features must have at least 3 rows, got ${x.shape[0]}`);
    return await x.array();
  } finally {
    x.dispose();
  }
}

/** Normal numbers (Box & Muller 1958). */
function normals(seed: number): () => number {
  const uniform = uniforms(seed, 0);
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}
