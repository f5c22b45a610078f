import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { summarizeCosines } from "@dcr-js/gradient-conflict";
import { type DeviceInfo, writeFileAtomically } from "@dcr-js/tensor";
import { z } from "zod";
import { methodLabel } from "../config/methods.js";
import type { Method, RunConfig } from "../config/run-config.js";
import type { Evaluation } from "../evaluate/evaluation.js";
import { checkSameForm } from "../evaluate/evaluation-form.js";
import { readEvaluation } from "../run/job-result.js";
import { jobFiles, jobName, listJobs, methodsOf, stepsOf } from "../run/jobs.js";
import { type MetricsRow, readMetrics } from "../run/metrics-file.js";

/** Mean and standard deviation over the seeds. */
export interface Spread {
  mean: number;
  /** Sample standard deviation; 0 for one seed. */
  std: number;
}

/** Figures by group and name. */
export type FigureSpreads = Record<string, Record<string, Spread>>;

/** How the gradients of two losses compare (norms, cosines), over all steps and seeds of a method. */
export interface Conflict {
  method: string;
  /** The two losses, `"a/b"`. */
  pair: string;
  negativeShare: number;
  meanCosine: number;
  steps: number;
  /** Mean norm of each loss's gradient. */
  meanNorms: Record<string, number>;
  /** Mean weight that the aggregator gave to each loss's gradient, where the method has one. */
  meanWeights?: Record<string, number>;
}

export interface Results {
  device: DeviceInfo;
  seeds: number[];
  /** The figures of each method. */
  figures: Record<string, FigureSpreads>;
  /** The changes of each method's figures against `original` with the same seed. */
  changes: Record<string, FigureSpreads>;
  /** 1 - the mean cosine between the features that an evaluation of each method shows and `original`'s with the same seed. */
  drift: Record<string, Spread>;
  /** Means over the seeds. */
  patterns: { method: string; measure: string; pattern: string; count: number; accuracy: number }[];
  conflict: Conflict[];
  /** SHA-256 of metrics.jsonl without its times: equal for two runs that computed the same. */
  metricsSha256: string;
}

/** All that a run's jobs left behind. */
export interface RunFindings {
  results: Results;
  metrics: MetricsRow[];
  /** Each method's evaluations, one for each seed. */
  evaluations: Record<string, Evaluation[]>;
}

/** Whether a change is larger than its spread over seeds; with one seed nobody knows. */
export function standsOut({ mean, std }: Spread, seeds: readonly number[]): boolean {
  return seeds.length > 1 && Math.abs(mean) > std;
}

const deviceSchema = z.object({
  device: z.object({
    backend: z.string(),
    kind: z.enum(["webgpu", "software", "wasm", "cpu"]),
    adapter: z.string().exactOptional(),
    threads: z.int().positive().exactOptional(),
    reason: z.string(),
  }),
});

/** The device that a run's `results.json` names. @throws saying whether the file is not there, or is damaged */
export async function readDevice(run: string): Promise<DeviceInfo> {
  const path = join(run, "results.json");
  if (!existsSync(path)) throw new Error(`${path} is not there`);
  try {
    return deviceSchema.parse(JSON.parse(await readFile(path, "utf8"))).device;
  } catch (error) {
    throw new Error(`${path} is not the results of a run`, { cause: error });
  }
}

/** Gathers the jobs' files into `metrics.jsonl` and `results.json`. */
export async function writeResults(run: string, config: RunConfig, device: DeviceInfo): Promise<RunFindings> {
  const metrics = await gatherMetrics(run, config, { whole: true });
  const methods = methodsOf(config);
  const evaluations = new Map<Method, Evaluation[]>();
  for (const method of methods) {
    const own = config.seeds.map((seed) => readEvaluation(run, config, { kind: "method", method, seed }));
    evaluations.set(method, await Promise.all(own));
  }
  const [first, ...others] = [...evaluations].flatMap(([method, own]) =>
    own.map((evaluation, i) => ({
      job: jobName({ kind: "method", method, seed: config.seeds[i]! }),
      evaluation,
    })),
  );
  for (const other of others) checkSameForm(first!, other);
  const results: Results = {
    device,
    seeds: config.seeds,
    figures: {},
    changes: {},
    drift: {},
    patterns: [],
    conflict: conflictsOf(metrics),
    metricsSha256: timelessHash(metrics),
  };
  const before = evaluations.get("original");
  for (const [method, own] of evaluations) {
    const label = methodLabel(method);
    results.figures[label] = spreads(own.map(({ figures }) => figures));
    if (before && method !== "original") {
      const drifts = own.flatMap((evaluation, i) => driftOf(evaluation, before[i]!) ?? []);
      if (drifts.length === own.length) results.drift[label] = spread(drifts);
      results.changes[label] = spreads(own.map(({ figures }, i) => differences(figures, before[i]!.figures)));
    }
    for (const pattern of meanPatterns(label, own)) results.patterns.push(pattern);
  }
  await writeFileAtomically(join(run, "results.json"), `${JSON.stringify(results, null, 2)}\n`);
  const byLabel = [...evaluations].map(([method, own]) => [methodLabel(method), own] as const);
  return { results, metrics, evaluations: Object.fromEntries(byLabel) };
}

/**
 * Writes `metrics.jsonl` of the run, the rows of all jobs.
 *
 * @param options `whole`: whether every job is done, so that a missing row is an error
 */
export async function gatherMetrics(
  run: string,
  config: RunConfig,
  { whole = false }: { whole?: boolean } = {},
): Promise<MetricsRow[]> {
  const metrics: MetricsRow[] = [];
  for (const job of listJobs(config)) {
    // One by one: a call takes about 125,000 arguments, and a job may have more rows.
    for (const row of await readMetrics(jobFiles(run, job).metrics, whole ? stepsOf(job, config) : 0))
      metrics.push(row);
  }
  const lines = metrics.map((row) => `${JSON.stringify(row)}\n`).join("");
  await writeFileAtomically(join(run, "metrics.jsonl"), lines);
  return metrics;
}

type Figures = Evaluation["figures"];

/** Another figure of the same group and name for each. */
function mapFigures<T>(
  figures: Figures,
  map: (group: string, name: string) => T,
): Record<string, Record<string, T>> {
  return Object.fromEntries(
    Object.entries(figures).map(([group, byName]) => [
      group,
      Object.fromEntries(Object.keys(byName).map((name) => [name, map(group, name)])),
    ]),
  );
}

const differences = (figures: Figures, before: Figures): Figures =>
  mapFigures(figures, (group, name) => figures[group]![name]! - before[group]![name]!);

const spreads = (list: Figures[]): FigureSpreads =>
  mapFigures(list[0]!, (group, name) => spread(list.map((figures) => figures[group]![name]!)));

export const meanOf = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

export function spread(values: number[]): Spread {
  const mean = meanOf(values);
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, std: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0 };
}

/** The L2 norm. */
export const norm = (row: readonly number[]): number =>
  Math.sqrt(row.reduce((sum, value) => sum + value ** 2, 0));

/** 1 - the mean cosine between two encoders' features of the same images. */
function driftOf({ features: after }: Evaluation, { features: before }: Evaluation): number | undefined {
  if (!after || !before || after.values.length === 0) return undefined;
  const cosines = after.values.map((row, i) => {
    const other = before.values[i]!;
    const dot = row.reduce((sum, value, k) => sum + value * other[k]!, 0);
    return dot / (norm(row) * norm(other) || 1);
  });
  return 1 - meanOf(cosines);
}

function meanPatterns(method: string, evaluations: Evaluation[]): Results["patterns"] {
  return (evaluations[0]!.patterns ?? []).map(({ measure, pattern, count }, i) => ({
    method,
    measure,
    pattern,
    count,
    accuracy: meanOf(evaluations.map(({ patterns }) => patterns![i]!.accuracy)),
  }));
}

/** The mean of a figure of each of the two losses of a pair. */
const meansOf = (pair: string, figures: readonly Record<string, number>[]): Record<string, number> =>
  Object.fromEntries(pair.split("/").map((loss) => [loss, meanOf(figures.map((each) => each[loss]!))]));

function conflictsOf(metrics: readonly MetricsRow[]): Conflict[] {
  const methods = [...new Set(metrics.map(({ method }) => method))];
  return methods.flatMap((method) => {
    const rows = metrics.filter((row) => row.method === method && row.cosines !== undefined);
    return Object.keys(rows[0]?.cosines ?? {}).map((pair) => ({
      method,
      pair,
      ...summarizeCosines(rows.map(({ cosines }) => cosines![pair]!)),
      steps: rows.length,
      meanNorms: meansOf(
        pair,
        rows.map(({ norms }) => norms!),
      ),
      ...(rows[0]!.weights && {
        meanWeights: meansOf(
          pair,
          rows.map(({ weights }) => weights!),
        ),
      }),
    }));
  });
}

/** SHA-256 of the rows without their times. */
function timelessHash(metrics: readonly MetricsRow[]): string {
  const lines = metrics.map(({ time: _, at: __, ...row }) => JSON.stringify(row));
  return createHash("sha256").update(lines.join("\n")).digest("hex");
}
