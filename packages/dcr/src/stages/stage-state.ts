import type { SourcePosition } from "@dcr-js/data";
import type { AdamW, Parameter, StateDict } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { describe } from "../shared/check-options.js";

/** Where a stage stands: tensors for a safetensors file, and the rest as JSON. */
export interface StageState {
  /** The trained parameters and the optimizer's moments; float32. */
  tensors: StateDict;
  progress: StageProgress;
}

/** The setting that a state belongs to. Learning rate and the like may change from one process to the next. */
export interface StageSetting {
  /** The stage's name, such as `enhancement`. */
  stage: string;
  seed: number;
  accumulation: number;
  /** The objective's name. */
  objective: string;
  /** The aggregator's name, where there is one. */
  aggregator?: string;
}

/** The part of a stage's state that is JSON. */
export interface StageProgress extends StageSetting {
  format: 2;
  /** Steps taken. */
  step: number;
  /** Where the images go on. */
  source: SourcePosition;
  /** The aggregator's memory, where it has one. */
  aggregatorMemory?: number[];
  /** The objective's memory, where it has one. */
  objectiveMemory?: number[];
}

export function stageState(from: {
  setting: StageSetting;
  optimizer: AdamW;
  parameters: readonly Parameter[];
  position: SourcePosition;
  memory?: number[];
  objectiveMemory?: number[];
}): StageState {
  const { setting, optimizer, parameters, position, memory, objectiveMemory } = from;
  const tensors = optimizer.stateDict();
  for (const [i, parameter] of parameters.entries()) tensors[`parameter.${i}`] = tf.clone(parameter.value);
  const progress: StageProgress = { format: 2, ...setting, step: optimizer.stepCount, source: position };
  if (memory) progress.aggregatorMemory = [...memory];
  if (objectiveMemory) progress.objectiveMemory = [...objectiveMemory];
  return { tensors, progress: structuredClone(progress) };
}

/** A state's parts, after all of it was checked. */
interface CheckedState {
  optimizer: StateDict;
  values: tf.Tensor[];
  position: SourcePosition;
  memory?: number[];
  objectiveMemory?: number[];
}

/**
 * Checks every part of a state before anything of it is used.
 *
 * @throws naming the part
 */
export async function checkState(
  state: StageState,
  expected: { setting: StageSetting; parameters: readonly Parameter[]; remembers: boolean },
): Promise<CheckedState> {
  const { tensors, progress } = state ?? {};
  if (typeof tensors !== "object" || tensors === null || typeof progress !== "object" || progress === null) {
    throw new TypeError(`restore: a state must be { tensors, progress }, got ${describe(state)}`);
  }
  const { format, step, source, aggregatorMemory: memory, objectiveMemory } = progress;
  if (format !== 2) throw new Error(`restore: the state's format must be 2, got ${describe(format)}`);
  for (const key of ["stage", "seed", "accumulation", "objective", "aggregator"] as const) {
    const [own, given] = [expected.setting[key], progress[key]];
    if (given === own) continue;
    const wanted = own === undefined ? `a stage without ${key}` : `${key} ${own}`;
    throw new Error(`restore: expected the state of ${wanted}, got ${describe(given)}`);
  }
  if (!Number.isSafeInteger(step) || step < 0) {
    throw new Error(`restore: step must be an integer, at least 0, got ${describe(step)}`);
  }
  checkPosition("restore: source", source);
  const { aggregator } = expected.setting;
  if (memory !== undefined && aggregator === undefined) {
    throw new Error("restore: the state holds an aggregator's memory, and the stage has no aggregator");
  }
  checkMemory("restore: aggregatorMemory", memory);
  if (objectiveMemory !== undefined && !expected.remembers) {
    throw new Error(
      "restore: the state holds an objective's memory, and the stage has no objective that remembers",
    );
  }
  // An objective that remembers does so from the first step on.
  checkMemory("restore: objectiveMemory", objectiveMemory, expected.remembers && step > 0);
  const shapes = new Map<string, number[]>([["step", []]]);
  for (const [i, { shape }] of expected.parameters.entries()) {
    for (const name of ["parameter", "exp_avg", "exp_avg_sq"]) shapes.set(`${name}.${i}`, shape);
  }
  for (const [name, shape] of shapes) {
    const given = tensors[name];
    if (!given) throw new Error(`restore: "${name}" is missing`);
    if (!tf.util.arraysEqual(given.shape, shape)) {
      throw new Error(
        `restore: "${name}" has shape [${given.shape}], expected [${shape}]; is the stage set up as before?`,
      );
    }
    const dtype = name === "step" ? "int32" : "float32";
    if (given.dtype !== dtype) {
      throw new Error(`restore: "${name}" must be ${dtype}, got ${given.dtype}`);
    }
  }
  const extra = Object.keys(tensors).find((name) => !shapes.has(name));
  if (extra !== undefined) throw new Error(`restore: unexpected tensor "${extra}"`);
  for (const name of shapes.keys()) {
    const total = tf.tidy(() => tf.sum(tf.mul(tensors[name], 0)));
    const finite = (await total.data())[0] === 0;
    total.dispose();
    if (!finite) throw new Error(`restore: "${name}" holds values that are not finite`);
  }
  const steps = (await tensors["step"].data())[0];
  if (steps !== step) {
    throw new Error(`restore: the tensors are of step ${steps}, the rest of the state of step ${step}`);
  }
  const values = expected.parameters.map((_, i) => tensors[`parameter.${i}`]);
  const optimizer = Object.fromEntries(
    Object.entries(tensors).filter(([name]) => !name.startsWith("parameter.")),
  );
  return { optimizer, values, position: source, memory, objectiveMemory };
}

/** Checks what an aggregator or an objective remembers; a state could not be restored with anything else. */
export function checkMemory(name: string, memory: unknown, needed = false): void {
  if (memory === undefined && !needed) return;
  if (!Array.isArray(memory) || !memory.every(Number.isFinite)) {
    const broken = Array.isArray(memory) ? memory.find((value) => !Number.isFinite(value)) : memory;
    throw new Error(`${name} must be an array of finite numbers, got ${describe(broken)}`);
  }
}

export function checkPosition(name: string, position: unknown): asserts position is SourcePosition {
  if (typeof position === "object" && position !== null) return;
  throw new Error(`${name} must be a source's position, got ${describe(position)}`);
}
