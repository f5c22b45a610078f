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

/** The figures of the D/P table, each in [0, 1]. */
export interface Figures {
  nmi: number;
  acc: number;
  ari: number;
  knn: number;
  text: number;
  image: number;
  imageToText: number;
  crossStyle: number;
  /** Mean of the four of D-Ability. */
  D: number;
  /** Mean of the two of P-Ability. */
  P: number;
  /** Mean of D and P. */
  both: number;
}
export type FigureName = keyof Figures;

export interface Results {
  device: DeviceInfo;
  seeds: number[];
  methods: Partial<Record<MethodName, Spreads<Evaluation>>>;
  table: Partial<Record<MethodName, Spreads<Figures>>>;
  /** Of each figure, a seed's change against `original` with the same seed; without `original` none. */
  changes: Partial<Record<MethodName, Spreads<Figures>>>;
  /** Of the gradients of the two losses, over all steps and seeds. */
  conflict: Partial<Record<"naive" | "dcr", Conflict>>;
  /** Of metrics.jsonl without its times: equal for two runs that computed the same. */
  metricsSha256: string;
}

export interface Conflict {
  negativeShare: number;
  meanCosine: number;
  steps: number;
  meanNorms: Record<string, number>;
}

/** Whether a change is larger than its spread over seeds; with one seed nobody knows. */
export function standsOut({ mean, std }: Spread, seeds: readonly number[]): boolean {
  return seeds.length > 1 && Math.abs(mean) > std;
}

function figuresOf({ D: { nmi, acc, ari, knn }, P: { text, image }, retention }: Evaluation): Figures {
  const [D, P] = [(nmi + acc + ari + knn) / 4, (text + image) / 2];
  return { nmi, acc, ari, knn, text, image, ...retention, D, P, both: (D + P) / 2 };
}

function difference(a: Figures, b: Figures): Figures {
  const names = Object.keys(a) as FigureName[];
  return Object.fromEntries(names.map((name) => [name, a[name] - b[name]])) as unknown as Figures;
}

const meanOf = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

function spread(values: number[]): Spread {
  const mean = meanOf(values);
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
  const [methods, table, changes]: [Results["methods"], Results["table"], Results["changes"]] = [{}, {}, {}];
  const before = config.methods.includes("original") ? (await evaluations("original")).map(figuresOf) : [];
  for (const kind of config.methods) {
    const trees = await evaluations(kind);
    const figures = trees.map(figuresOf);
    methods[kind] = spreads(trees);
    table[kind] = spreads(figures);
    if (kind !== "original" && before.length > 0) {
      changes[kind] = spreads(figures.map((own, i) => difference(own, before[i])));
    }
  }
  const conflict: Results["conflict"] = {};
  for (const method of ["naive", "dcr"] as const) {
    const rows = metrics.filter((row) => row.method === method && row.cosine !== undefined);
    if (rows.length === 0) continue;
    conflict[method] = {
      ...summarizeCosines(rows.map(({ cosine }) => cosine!)),
      steps: rows.length,
      meanNorms: Object.fromEntries(
        Object.keys(rows[0].norms!).map((loss) => [loss, meanOf(rows.map(({ norms }) => norms![loss]))]),
      ),
    };
  }
  const timeless = metrics.map(({ time: _, ...row }) => JSON.stringify(row)).join("\n");
  const metricsSha256 = createHash("sha256").update(timeless).digest("hex");
  const { seeds } = config;
  const results: Results = { device, seeds, methods, table, changes, conflict, metricsSha256 };
  await writeFileAtomically(join(run, "results.json"), `${JSON.stringify(results, null, 2)}\n`);
  return { results, metrics };
}

const percent = ({ mean, std }: Spread, several: boolean) =>
  `${(100 * mean).toFixed(1)}${several ? ` ±${(100 * std).toFixed(1)}` : ""}`;

/** The D/P table as lines of text. */
export function resultsTable({ table, seeds, conflict }: Results): string {
  const several = seeds.length > 1;
  const columns: [FigureName, string][] = [
    ["nmi", "NMI"],
    ["acc", "ACC"],
    ["ari", "ARI"],
    ["knn", "kNN"],
    ["text", "P text"],
    ["image", "P image"],
    ["imageToText", "i->t R@1"],
    ["crossStyle", "g->t R@1"],
  ];
  const header = ["method", ...columns.map(([, title]) => title)];
  const rows = Object.entries(table).map(([name, figures]) => [
    name,
    ...columns.map(([figure]) => percent(figures[figure], several)),
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
