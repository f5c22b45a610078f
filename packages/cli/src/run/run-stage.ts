import { createEventFile, type EventFile } from "@dcr-js/gradient-conflict/tensorboard";
import * as tf from "@tensorflow/tfjs-core";
import { messageOf } from "../shared/message-of.js";
import {
  type CheckpointOwner,
  readCheckpoint,
  refuseCheckpoint,
  type StageState,
  writeCheckpoint,
} from "./checkpoint.js";
import { type MetricsRow, openMetrics } from "./metrics-file.js";

/** A training step's report, as a stage of `@dcr-js/dcr` does. */
export interface StepReport {
  loss: number;
  losses: Record<string, number>;
  /** Figures that the objective measures beside its losses. */
  metrics: Record<string, number>;
  gradNorm: number;
  conflict?: {
    norms: Record<string, number>;
    pairs: { losses: readonly [string, string]; cosine: number; magnitudeSimilarity: number }[];
  };
  /** The weight that an aggregator gave to each loss's gradient. */
  weights?: Record<string, number>;
}

/** A stage of training that can be saved and restored. */
export interface ResumableStage {
  step(): Promise<StepReport>;
  /** The caller disposes the tensors. */
  state(): StageState;
  restore(state: never): Promise<void>;
}

export interface StageRun {
  stage: ResumableStage;
  steps: number;
  owner: CheckpointOwner;
  files: { metrics: string; checkpoint: string; events: string };
  /** The parts of a metrics row that are the same for the whole stage. */
  row: Pick<MetricsRow, "method" | "stage" | "seed">;
  checkpoint: { everySteps: number; everySeconds: number };
  tensorboard: boolean;
  /** Throws where this process may not write any more. */
  beforeWrite: () => void;
  onStep: (done: number, loss: number | undefined) => void;
  /** Whether to save and stop after the step just done. */
  stopAsked: () => boolean;
}

/**
 * Runs a stage from its checkpoint, or from the start, to its last step.
 *
 * Rows of metrics are on the disk before the checkpoint that counts them, so that a kill at any instant leaves a checkpoint
 * whose rows are there. Rows after it are cut and made anew.
 *
 * @returns whether the stage is done; false where it was asked to stop, and saved what it has
 */
export async function runStage(run: StageRun): Promise<boolean> {
  const { stage, steps, owner, files, beforeWrite } = run;
  const start = await restore(run);
  beforeWrite();
  const metrics = await openMetrics(files.metrics, start);
  const events = run.tensorboard ? await startEvents(files.events, metrics.rows) : undefined;
  const save = async () => {
    beforeWrite();
    await metrics.flush();
    const state = stage.state();
    try {
      await writeCheckpoint(files.checkpoint, owner, state);
    } finally {
      tf.dispose(state.tensors as tf.NamedTensorMap);
    }
  };
  let savedAt = performance.now();
  run.onStep(start, undefined);
  try {
    for (let step = start; step < steps; step++) {
      const began = performance.now();
      const report = await stage.step();
      const row = metricsRow(run.row, step, report, (performance.now() - began) / 1000);
      beforeWrite();
      await metrics.append(row);
      await events?.append(scalarsOf(row));
      run.onStep(step + 1, report.loss);
      // The pause lets signals and messages arrive.
      await new Promise((resolve) => setImmediate(resolve));
      const stopping = run.stopAsked();
      const { everySteps, everySeconds } = run.checkpoint;
      const due = (step + 1) % everySteps === 0 || performance.now() - savedAt > 1000 * everySeconds;
      // The last step is saved too: what follows it, an evaluation for example, may be interrupted.
      if (stopping || due || step + 1 === steps) {
        await save();
        savedAt = performance.now();
      }
      if (stopping && step + 1 < steps) return false;
    }
    await metrics.flush();
    return !run.stopAsked();
  } finally {
    await metrics.close();
    await events?.close();
  }
}

/** Restores the stage from its checkpoint. @returns the steps that it counts, 0 without one. */
async function restore({ stage, files, owner, steps }: StageRun): Promise<number> {
  const found = await readCheckpoint(files.checkpoint, owner);
  if (!found) return 0;
  const { step } = found.progress;
  try {
    if (step > steps) throw new Error(`the checkpoint counts ${step} steps, and the stage has ${steps}`);
    await stage.restore(found as never);
  } catch (error) {
    throw refuseCheckpoint(files.checkpoint, messageOf(error), error);
  } finally {
    tf.dispose(found.tensors as tf.NamedTensorMap);
  }
  return step;
}

function metricsRow(fixed: StageRun["row"], step: number, report: StepReport, seconds: number): MetricsRow {
  const { loss, losses, metrics, gradNorm, conflict, weights } = report;
  const byPair = (figure: "cosine" | "magnitudeSimilarity") =>
    Object.fromEntries(conflict!.pairs.map((pair) => [pair.losses.join("/"), pair[figure]]));
  return {
    ...fixed,
    step,
    loss,
    losses,
    ...(Object.keys(metrics).length > 0 && { metrics }),
    gradNorm,
    ...(conflict && {
      norms: conflict.norms,
      cosines: byPair("cosine"),
      magnitudeSimilarities: byPair("magnitudeSimilarity"),
    }),
    ...(weights && { weights }),
    time: Number(seconds.toFixed(4)),
    at: Date.now() / 1000,
  };
}

/** The file is written anew from the rows that count, so that it agrees with them after a kill. */
async function startEvents(path: string, rows: readonly MetricsRow[]): Promise<EventFile> {
  const events = await createEventFile(path, rows[0]?.at ?? Date.now() / 1000);
  for (const row of rows) await events.append(scalarsOf(row));
  return events;
}

function scalarsOf(row: MetricsRow) {
  const { at, step, stage, loss, losses, metrics, gradNorm, norms, cosines, weights } = row;
  const scalars: Record<string, number> = {
    [`stage${stage}/loss`]: loss,
    [`stage${stage}/gradient_norm`]: gradNorm,
  };
  const add = (group: string, figures: Record<string, number> = {}) => {
    for (const [name, value] of Object.entries(figures)) scalars[`stage${stage}/${group}/${name}`] = value;
  };
  add("losses", losses);
  add("metrics", metrics);
  add("gradient_norms", norms);
  add("cosines", cosines);
  add("aggregator_weights", weights);
  return { at, step, scalars };
}
