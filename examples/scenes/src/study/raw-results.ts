import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { openSafetensors } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";

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
    /** The conflict of the two losses' gradients, where it was recorded. */
    conflict?: ConflictResult;
    /** Means over the first and over the last 50 steps of the objective's measures, such as similarities. */
    first: Record<string, number>;
    last: Record<string, number>;
  };
}

/** How the gradients of two losses compare (norms, cosines) over the steps. */
export interface ConflictResult {
  /** How many parameters train: the dimensions of the gradients. */
  parameters: number;
  /** Mean Euclidean norm of each loss's gradient. */
  norms: Record<string, number>;
  meanCosine: number;
  /** Share of steps with a cosine below 0. */
  negative: number;
  /** Share of steps whose cosine lies within two standard deviations, `1 / sqrt(parameters)` each, of that of random directions. */
  orthogonal: number;
  /** Share of steps whose cosine lies below that. */
  conflicting: number;
  /** Mean cosine and share of conflicting steps in each fifth of the training. */
  fifths: { meanCosine: number; conflicting: number }[];
}

/** The part of a run's results.json that is used here. */
interface RunResults {
  device: { kind: string };
  figures: Record<string, Record<string, Record<string, { mean: number }>>>;
  drift: Record<string, { mean: number }>;
  patterns: { method: string; measure: string; pattern: string; accuracy: number }[];
}

interface MetricsRow {
  method: string;
  stage: number;
  time: number;
  metrics?: Record<string, number>;
  /** Cosines by pair of losses. */
  cosines?: Record<string, number>;
  /** Lengths of each loss's gradient. */
  norms?: Record<string, number>;
}

/** The rows of a run's metrics.jsonl. */
export async function readMetrics(run: string): Promise<MetricsRow[]> {
  const lines = (await readFile(join(run, "metrics.jsonl"), "utf8")).trim().split("\n");
  return lines.map((line) => JSON.parse(line) as MetricsRow);
}

const stageTwo = (rows: readonly MetricsRow[], method: string) =>
  rows.filter((row) => row.method === method && row.stage === 2);

/** The median of a method's steps in stage 2. */
export const medianSeconds = (rows: readonly MetricsRow[], method: string): number =>
  median(stageTwo(rows, method).map(({ time }) => time));

/** Reads a finished run's folder. */
export async function readRun(run: string, settings: RawResult["settings"]): Promise<RawResult> {
  const results = JSON.parse(await readFile(join(run, "results.json"), "utf8")) as RunResults;
  const rows = await readMetrics(run);
  const methods: RawResult["methods"] = {};
  for (const [method, figures] of Object.entries(results.figures)) {
    const own = stageTwo(rows, method);
    const cosines = own.flatMap((row) => (row.cosines ? Object.values(row.cosines) : []));
    const patterns: MethodResult["patterns"] = {};
    for (const { measure, pattern, accuracy, ...entry } of results.patterns) {
      if (entry.method === method) patterns[measure] = { ...patterns[measure], [pattern]: accuracy };
    }
    const training = own.length > 0 && {
      drift: results.drift[method].mean,
      steps: own.length,
      secondsPerStep: medianSeconds(rows, method),
      // With more than two losses there is no one cosine.
      ...(cosines.length === own.length && {
        conflict: {
          norms: meansByName(own.map(({ norms }) => norms!)),
          ...conflictOf(cosines, await trainedParameters(run, method, settings.seeds[0])),
        },
      }),
      first: meanMetrics(own.slice(0, 50)),
      last: meanMetrics(own.slice(-50)),
    };
    methods[method] = { figures: meansOf(figures), patterns, ...(training && { training }) };
  }
  return { settings, device: results.device.kind, methods };
}

/** How many parameters a method's adapter has. */
async function trainedParameters(run: string, method: string, seed: number): Promise<number> {
  const folder = join(run, `${method.replaceAll(" ", "-")}-seed${seed}`);
  const adapter = await openSafetensors(join(folder, "adapter/adapter_model.safetensors"));
  try {
    return adapter.keys().reduce((sum, name) => sum + tf.util.sizeFromShape(adapter.info(name).shape), 0);
  } finally {
    await adapter.close();
  }
}

/** @param cosines of the steps in their order, five or more */
export function conflictOf(cosines: readonly number[], parameters: number): Omit<ConflictResult, "norms"> {
  const limit = 2 / Math.sqrt(parameters);
  const share = (values: readonly number[], is: (cosine: number) => boolean) =>
    values.filter(is).length / values.length;
  const conflicting = (values: readonly number[]) => share(values, (cosine) => cosine < -limit);
  const fifths = Array.from({ length: 5 }, (_, i) => {
    const part = cosines.slice(
      Math.round((i * cosines.length) / 5),
      Math.round(((i + 1) * cosines.length) / 5),
    );
    return { meanCosine: mean(part), conflicting: conflicting(part) };
  });
  return {
    parameters,
    meanCosine: mean(cosines),
    negative: share(cosines, (cosine) => cosine < 0),
    orthogonal: share(cosines, (cosine) => Math.abs(cosine) <= limit),
    conflicting: conflicting(cosines),
    fifths,
  };
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

const meanMetrics = (rows: readonly MetricsRow[]) => meansByName(rows.map(({ metrics }) => metrics ?? {}));

function meansByName(rows: readonly Record<string, number>[]): Record<string, number> {
  return Object.fromEntries(Object.keys(rows[0]).map((name) => [name, mean(rows.map((row) => row[name]))]));
}
