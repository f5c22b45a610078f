import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** One run of the command, as it is committed. */
export interface RawResult {
  settings: { methods: readonly unknown[]; seeds: readonly number[] } & Record<string, unknown>;
  device: string;
  /** By method, `original` among them. */
  methods: Record<string, MethodResult>;
}

export interface MethodResult {
  /** By group and name, shares. */
  figures: Record<string, Record<string, number>>;
  /** Accuracy by measure and factor. */
  patterns: Record<string, Record<string, number>>;
  /** Measures of the training; none for `original`. */
  training?: {
    drift: number;
    steps: number;
    /** Median of a step. */
    secondsPerStep: number;
    negativeCosines?: number;
    meanCosine?: number;
    /** Means over the first and over the last 50 steps of the objective's measures, such as similarities. */
    first: Record<string, number>;
    last: Record<string, number>;
  };
}

/** The part of a run's results.json that is used here. */
interface RunResults {
  device: { kind: string };
  figures: Record<string, Record<string, Record<string, { mean: number }>>>;
  drift: Record<string, { mean: number }>;
  patterns: { method: string; measure: string; pattern: string; accuracy: number }[];
  conflict: { method: string; negativeShare: number; meanCosine: number }[];
}

interface MetricsRow {
  method: string;
  stage: number;
  time: number;
  metrics?: Record<string, number>;
}

/** Reads a finished run's folder. */
export async function readRun(run: string, settings: RawResult["settings"]): Promise<RawResult> {
  const results = JSON.parse(await readFile(join(run, "results.json"), "utf8")) as RunResults;
  const lines = (await readFile(join(run, "metrics.jsonl"), "utf8")).trim().split("\n");
  const rows = lines.map((line) => JSON.parse(line) as MetricsRow);
  const methods = Object.entries(results.figures).map(([method, figures]): [string, MethodResult] => {
    const own = rows.filter((row) => row.method === method && row.stage === 2);
    const conflict = results.conflict.find((entry) => entry.method === method);
    const patterns: MethodResult["patterns"] = {};
    for (const { measure, pattern, accuracy, ...entry } of results.patterns) {
      if (entry.method === method) patterns[measure] = { ...patterns[measure], [pattern]: accuracy };
    }
    const training = own.length > 0 && {
      drift: results.drift[method].mean,
      steps: own.length,
      secondsPerStep: median(own.map(({ time }) => time)),
      ...(conflict && { negativeCosines: conflict.negativeShare, meanCosine: conflict.meanCosine }),
      first: meanMetrics(own.slice(0, 50)),
      last: meanMetrics(own.slice(-50)),
    };
    return [method, { figures: meansOf(figures), patterns, ...(training && { training }) }];
  });
  return { settings, device: results.device.kind, methods: Object.fromEntries(methods) };
}

const meansOf = (figures: RunResults["figures"][string]): MethodResult["figures"] =>
  Object.fromEntries(
    Object.entries(figures).map(([group, byName]) => [
      group,
      Object.fromEntries(Object.entries(byName).map(([name, { mean }]) => [name, mean])),
    ]),
  );

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

function meanMetrics(rows: readonly MetricsRow[]): Record<string, number> {
  const names = Object.keys(rows[0].metrics ?? {});
  return Object.fromEntries(names.map((name) => [name, mean(rows.map(({ metrics }) => metrics![name]))]));
}
