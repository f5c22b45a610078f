import { appendFile, readFile } from "node:fs/promises";
import { writeFileAtomically } from "@dcr-js/tensor";

/** One line of `metrics.jsonl`. All but `time` is a function of the configuration and the kind of device. */
export interface MetricsRow {
  /** A method, or in stage 1 `align-rec` or `align-dcr`, which the methods of a seed share. */
  method: string;
  stage: 1 | 2;
  seed: number;
  /** From 0, in its stage. */
  step: number;
  loss: number;
  /** Each loss that the method is made of. */
  losses: Record<string, number>;
  /** Global norm of the gradient before clipping. */
  gradNorm: number;
  /** Norm of each loss's gradient, where there are two. */
  norms?: Record<string, number>;
  /** Cosine between the two losses' gradients. */
  cosine?: number;
  magnitudeSimilarity?: number;
  /** Seconds. */
  time: number;
}

export async function appendMetrics(path: string, row: MetricsRow): Promise<void> {
  await appendFile(path, `${JSON.stringify(row)}\n`).catch((error: Error) => {
    throw new Error(`${path}: could not be written (${error.message})`, { cause: error });
  });
}

export async function readMetrics(path: string): Promise<MetricsRow[]> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  // A process that was killed may have left half a line at the end.
  const lines = text.split("\n").filter((line) => line.endsWith("}"));
  return lines.map((line) => JSON.parse(line) as MetricsRow);
}

/** Drops what was written after the checkpoint that a job goes on from. */
export async function truncateMetrics(path: string, steps: number): Promise<void> {
  const rows = (await readMetrics(path)).filter(({ step }) => step < steps);
  await writeFileAtomically(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
}
