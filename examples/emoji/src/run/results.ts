import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { summarizeCosines } from "@dcr-js/dcr";
import { type DeviceInfo, writeFileAtomically } from "@dcr-js/tensor";
import type { MethodName, RunConfig } from "./config.js";
import type { Evaluation } from "./evaluate.js";
import { jobFiles, listJobs } from "./jobs.js";
import { type MetricsRow, readMetrics } from "./metrics-file.js";

/** Over the seeds. */
export interface Spread {
  mean: number;
  /** Sample standard deviation; 0 for one seed. */
  std: number;
}

/** A tree of numbers with every number replaced by its spread. */
export type Spreads<T> = { [K in keyof T]: T[K] extends number ? Spread : Spreads<T[K]> };

export interface Results {
  device: DeviceInfo;
  seeds: number[];
  methods: Partial<Record<MethodName, Spreads<Evaluation>>>;
  /** Of the gradients of the two losses, over all steps and seeds. */
  conflict: Partial<Record<"naive" | "dcr", { negativeShare: number; meanCosine: number; steps: number }>>;
  /** Of metrics.jsonl without its times: equal for two runs that computed the same. */
  metricsSha256: string;
}

function spread(values: number[]): Spread {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, std: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0 };
}

function spreads<T extends object>(trees: T[]): Spreads<T> {
  return Object.fromEntries(
    Object.entries(trees[0]).map(([key, value]) => {
      const values = trees.map((tree) => (tree as Record<string, unknown>)[key]);
      return [key, typeof value === "number" ? spread(values as number[]) : spreads(values as object[])];
    }),
  ) as Spreads<T>;
}

/** Gathers the jobs' files into `metrics.jsonl` and `results.json`. */
export async function writeResults(
  run: string,
  config: RunConfig,
  device: DeviceInfo,
): Promise<{ results: Results; metrics: MetricsRow[] }> {
  const metrics: MetricsRow[] = [];
  for (const job of listJobs(config)) metrics.push(...(await readMetrics(jobFiles(run, job).metrics)));
  await writeFileAtomically(
    join(run, "metrics.jsonl"),
    metrics.map((row) => `${JSON.stringify(row)}\n`).join(""),
  );

  const evaluations = async (kind: MethodName) =>
    Promise.all(
      config.seeds.map(
        async (seed) =>
          JSON.parse(await readFile(jobFiles(run, { kind, seed }).result, "utf8")) as Evaluation,
      ),
    );
  const methods: Results["methods"] = {};
  for (const kind of config.methods) methods[kind] = spreads(await evaluations(kind));
  const conflict: Results["conflict"] = {};
  for (const method of ["naive", "dcr"] as const) {
    const cosines = metrics.flatMap((row) =>
      row.method === method && row.cosine !== undefined ? [row.cosine] : [],
    );
    if (cosines.length > 0) conflict[method] = { ...summarizeCosines(cosines), steps: cosines.length };
  }
  const timeless = metrics.map(({ time: _, ...row }) => JSON.stringify(row)).join("\n");
  const metricsSha256 = createHash("sha256").update(timeless).digest("hex");
  const results: Results = { device, seeds: config.seeds, methods, conflict, metricsSha256 };
  await writeFileAtomically(join(run, "results.json"), `${JSON.stringify(results, null, 2)}\n`);
  return { results, metrics };
}

const percent = ({ mean, std }: Spread, several: boolean) =>
  `${(100 * mean).toFixed(1)}${several ? ` ±${(100 * std).toFixed(1)}` : ""}`;

/** The D/P table as lines of text. */
export function resultsTable({ methods, seeds, conflict }: Results): string {
  const several = seeds.length > 1;
  const header = ["method", "NMI", "ACC", "ARI", "kNN", "P text", "P image", "i->t R@1", "g->t R@1"];
  const rows = Object.entries(methods).map(([name, { D, P, retention }]) => [
    name,
    ...[D.nmi, D.acc, D.ari, D.knn, P.text, P.image, retention.imageToText, retention.crossStyle].map((s) =>
      percent(s, several),
    ),
  ]);
  const widths = header.map((_, i) => Math.max(...[header, ...rows].map((row) => row[i].length)));
  const line = (row: string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("  ");
  const conflicts = Object.entries(conflict).map(
    ([name, { negativeShare, meanCosine, steps }]) =>
      `${name}: gradient cosine negative in ${(100 * negativeShare).toFixed(1)} % of ${steps} steps, mean ${meanCosine.toFixed(3)}`,
  );
  return [line(header), ...rows.map(line), "", ...conflicts].join("\n");
}
