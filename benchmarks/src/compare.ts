import { type WebGPUStatistics, webgpuStatistics } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { distance, tolerance } from "./agreement.js";
import type { Case } from "./case.js";
import type { Contender, Running } from "./contenders.js";

/** How ours and its peers did in one case. */
export interface Row {
  name: string;
  adapter: string;
  /** Median milliseconds a run. */
  ours: number;
  peers: Record<string, number>;
  /** By how much ours is faster: a peer's median over ours. */
  ratio: Record<string, number>;
  goal: number;
  flops?: number;
  rounds: number;
  /** Peers that have no figure, and why. */
  absent: Record<string, string>;
  /** The device's work for one more run of ours. */
  statistics: WebGPUStatistics;
}

export interface CompareOptions {
  adapter: string;
  /** Rounds at the least. */
  rounds: number;
  /** Seconds of measuring, of all contenders together, after which no further round is begun. */
  seconds: number;
}

/** Why a contender is absent that was not written for this case. */
export const noCase = "has no such case";

const mostRounds = 50;

/** Runs in a measurement: about as many as the fastest does in this time, so that one wait does not decide. */
const measuredMilliseconds = 5;
const mostRuns = 20;

/** A run that takes this long is measured from the second one on. */
const longMilliseconds = 1000;

/**
 * Times a case on all contenders, ours first, turn by turn, so that a busy machine slows all of them. Nothing is timed
 * that does not compute what ours does.
 *
 * @throws where ours fails.
 */
export async function compare(
  what: Case,
  contenders: readonly Contender[],
  { adapter, rounds: leastRounds, seconds }: CompareOptions,
): Promise<Row> {
  const alive = tf.memory().numTensors;
  const absent: Row["absent"] = {};
  let threw = false;
  const running = new Map<string, Running>();
  const estimates: number[] = [];
  const [own] = contenders;
  let reference: Float32Array[] = [];
  for (const contender of contenders) {
    try {
      const started = await contender.start(what);
      if (!started) {
        absent[contender.name] = noCase;
        continue;
      }
      const values = await started.values();
      if (contender === own) reference = values;
      const difference = distance(values, reference);
      if (!(difference <= tolerance)) {
        absent[contender.name] = `differs from ours by ${difference.toPrecision(2)}`;
        await started.dispose();
        continue;
      }
      estimates.push(await started.measure(1));
      running.set(contender.name, started);
    } catch (error) {
      if (contender === own) throw error;
      threw = true;
      absent[contender.name] = (error as Error).message.split("\n")[0];
    }
  }
  const runs = Math.min(mostRuns, Math.ceil(measuredMilliseconds / Math.min(...estimates)));
  // Where a run takes seconds, warming up is nothing to it, and the estimates are the first round.
  let rounds = Math.max(...estimates) >= longMilliseconds ? 1 : 0;
  const times = new Map(Array.from(running.keys(), (name, i) => [name, estimates.slice(i, i + rounds)]));
  const begun = performance.now() - rounds * estimates.reduce((sum, each) => sum + each, 0);
  while (rounds < leastRounds || (rounds < mostRounds && performance.now() - begun < 1000 * seconds)) {
    for (const [name, each] of running) times.get(name)!.push(await each.measure(runs));
    rounds++;
  }
  const statistics = await statisticsOf(running.get(own.name)!);
  for (const each of running.values()) await each.dispose();
  const left = tf.memory().numTensors - alive;
  // A peer that lacks a kernel throws half-way.
  if (left !== 0 && !threw) throw new Error(`${left} tensors are left behind`);
  const { [own.name]: ours, ...peers } = Object.fromEntries(
    Array.from(times, ([name, values]) => [name, median(values)]),
  );
  const ratio = Object.fromEntries(Object.entries(peers).map(([name, peer]) => [name, peer / ours]));
  const { name, goal = 1, flops } = what;
  return { name, adapter, ours, peers, ratio, goal, flops, rounds, absent, statistics };
}

async function statisticsOf(ours: Running): Promise<WebGPUStatistics> {
  // The wait's own dispatch and read, and what was left unsubmitted before, are not the case's.
  await ours.measure(1);
  const before = webgpuStatistics();
  await ours.repeat(1);
  const after = webgpuStatistics();
  const difference = (a: Record<string, number>, b: Record<string, number>) =>
    Object.fromEntries(
      Object.entries(b)
        .map(([key, count]) => [key, count - (a[key] ?? 0)] as const)
        .filter(([, count]) => count > 0),
    );
  const { dispatchesByKernel, ...counts } = after;
  return {
    ...(Object.fromEntries(
      Object.entries(counts).map(([key, count]) => [key, count - before[key as keyof typeof counts]]),
    ) as typeof counts),
    dispatchesByKernel: difference(before.dispatchesByKernel, dispatchesByKernel),
  };
}

const median = (values: number[]) => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};
