import { existsSync } from "node:fs";
import { appendFile, mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  AdamW,
  clipGradNorm,
  type Parameter,
  readSafetensors,
  type StateDict,
  valueAndGradients,
  warmupCosine,
  writeFileAtomically,
  writeSafetensors,
} from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { SingleBar } from "cli-progress";

export interface TrainLoopOptions {
  /** Names the checkpoint and the bar. */
  name: string;
  parameters: Parameter[];
  /** The loss of a step; everything random in it is a function of the step only. */
  loss: (step: number) => tf.Scalar;
  steps: number;
  learningRate: number;
  weightDecay?: number;
  /** Folder for checkpoints, deleted at the end. */
  checkpoints: string;
  /** Decay of the moving average of the weights that the training ends with; the weights themselves when left out. */
  averageDecay?: number;
}

/** A mean of the loss over some steps. */
export interface CurvePoint {
  step: number;
  loss: number;
  /** Since the start, interruptions not counted. */
  seconds: number;
}

const checkpointEvery = 200;
const curveEvery = 50;
const warmupSteps = 100;

/**
 * Trains with AdamW, warm-up and cosine decay. A stopped run goes on from its last checkpoint, to the same result.
 *
 * @returns the loss curve; its last point is the last step. The parameters hold the trained (or averaged) weights.
 */
export async function trainLoop(options: TrainLoopOptions): Promise<CurvePoint[]> {
  const { name, parameters, loss, steps, learningRate, checkpoints, averageDecay } = options;
  const optimizer = new AdamW(parameters, {
    learningRate,
    weightDecay: options.weightDecay ?? 0.01,
    betas: [0.9, 0.99],
  });
  const schedule = warmupCosine({ warmupSteps, totalSteps: steps });
  const average: tf.Tensor[] =
    averageDecay === undefined ? [] : parameters.map((parameter) => tf.keep(tf.clone(parameter.value)));
  // Another length is another run: its learning rates differ.
  const weightsPath = join(checkpoints, `${name}-${steps}.safetensors`);
  const curvePath = join(checkpoints, `${name}-${steps}.jsonl`);
  await mkdir(checkpoints, { recursive: true });

  let start = 0;
  let curve: CurvePoint[] = [];
  const saved = existsSync(weightsPath) ? await readSafetensors(weightsPath) : undefined;
  if (saved) {
    parameters.forEach((parameter, i) => {
      parameter.assign(saved[`weight.${i}`]);
    });
    average.forEach((old, i) => {
      average[i] = tf.keep(tf.clone(saved[`average.${i}`]));
      old.dispose();
    });
    const isOwn = ([name]: [string, tf.Tensor]) => !/^(weight|average)\./.test(name);
    optimizer.loadStateDict(Object.fromEntries(Object.entries(saved).filter(isOwn)));
    tf.dispose(saved);
    start = optimizer.stepCount;
    const lines = (await readFile(curvePath, "utf8")).trim().split("\n");
    curve = lines.map((line) => JSON.parse(line) as CurvePoint).filter((point) => point.step <= start);
  } else {
    await writeFileAtomically(curvePath, "");
  }

  const bar = new SingleBar({
    format: `${name} {bar} {value}/{total} | loss {loss} | {rate} steps/s | {eta_formatted} left`,
    noTTYOutput: true,
    notTTYSchedule: 30_000,
    etaBuffer: 50,
  });
  bar.start(steps, start, { loss: "-", rate: "-" });
  const began = performance.now() - 1000 * (curve.at(-1)?.seconds ?? 0);
  const resumed = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  let [sum, summed] = [0, 0];
  for (let step = start; step < steps; step++) {
    const { value, gradients } = valueAndGradients(() => loss(step), parameters);
    const clipped = clipGradNorm(gradients, 1);
    optimizer.step(clipped.gradients, learningRate * Math.max(schedule(step), step === 0 ? 0.01 : 0));
    // Young averages forget faster, so that the first weights leave no trace.
    const decay = Math.min(averageDecay ?? 0, (1 + step) / (10 + step));
    average.forEach((old, i) => {
      average[i] = tf.keep(tf.tidy(() => tf.add(tf.mul(old, decay), tf.mul(parameters[i].value, 1 - decay))));
      old.dispose();
    });
    const current = (await value.data())[0];
    if (!Number.isFinite(current)) throw new Error(`${name}: the loss became ${current} at step ${step}`);
    sum += current;
    summed++;
    tf.dispose([value, gradients, clipped.gradients, clipped.norm]);
    const done = step + 1;
    if (done % curveEvery === 0 || done === steps) {
      const mean = Number((sum / summed).toPrecision(6));
      const point = { step: done, loss: mean, seconds: Math.round(seconds()) };
      [sum, summed] = [0, 0];
      curve.push(point);
      await appendFile(curvePath, `${JSON.stringify(point)}\n`);
    }
    if (done % checkpointEvery === 0 && done < steps) {
      const state: StateDict = optimizer.stateDict();
      parameters.forEach((parameter, i) => {
        state[`weight.${i}`] = tf.clone(parameter.value);
      });
      average.forEach((tensor, i) => {
        state[`average.${i}`] = tf.clone(tensor);
      });
      await writeSafetensors(weightsPath, state);
      tf.dispose(state);
    }
    const rate = (done - start) / ((performance.now() - resumed) / 1000);
    bar.update(done, { loss: curve.at(-1)?.loss.toFixed(4) ?? current.toFixed(4), rate: rate.toFixed(2) });
  }
  bar.stop();
  average.forEach((tensor, i) => {
    parameters[i].assign(tensor);
  });
  tf.dispose(average);
  optimizer.dispose();
  await rm(weightsPath, { force: true });
  await rm(curvePath, { force: true });
  return curve;
}
