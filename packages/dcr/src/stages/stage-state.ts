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

/** The part of a stage's state that is JSON. */
export interface StageProgress {
  format: 1;
  /** Which stage it is of. */
  stage: string;
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
  stage: string;
  optimizer: AdamW;
  parameters: readonly Parameter[];
  position: SourcePosition;
  memory?: number[];
  objectiveMemory?: number[];
}): StageState {
  const { stage, optimizer, parameters, position, memory, objectiveMemory } = from;
  const tensors = optimizer.stateDict();
  for (const [i, parameter] of parameters.entries()) tensors[`parameter.${i}`] = tf.clone(parameter.value);
  const progress: StageProgress = { format: 1, stage, step: optimizer.stepCount, source: position };
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
  expected: { stage: string; parameters: readonly Parameter[]; aggregates: boolean; remembers: boolean },
): Promise<CheckedState> {
  const { tensors, progress } = state ?? {};
  if (typeof tensors !== "object" || tensors === null || typeof progress !== "object" || progress === null) {
    throw new TypeError(`restore: a state must be { tensors, progress }, got ${describe(state)}`);
  }
  const { format, stage, step, source, aggregatorMemory: memory, objectiveMemory } = progress;
  if (format !== 1) throw new Error(`restore: the state's format must be 1, got ${describe(format)}`);
  if (stage !== expected.stage) {
    throw new Error(`restore: expected the state of stage ${expected.stage}, got ${describe(stage)}`);
  }
  if (!Number.isSafeInteger(step) || step < 0) {
    throw new Error(`restore: step must be an integer, at least 0, got ${describe(step)}`);
  }
  if (typeof source !== "object" || source === null) {
    throw new Error(`restore: source must be a source's position, got ${describe(source)}`);
  }
  checkMemory("aggregator", "aggregatorMemory", memory, expected.aggregates);
  checkMemory("objective", "objectiveMemory", objectiveMemory, expected.remembers);
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

function checkMemory(owner: string, name: string, memory: unknown, taken: boolean): void {
  if (memory === undefined) return;
  if (!taken) {
    throw new Error(
      `restore: the state holds an ${owner}'s memory, and the stage has no ${owner}${owner === "objective" ? " that remembers" : ""}`,
    );
  }
  if (!Array.isArray(memory) || !memory.every(Number.isFinite)) {
    throw new Error(`restore: ${name} must be an array of finite numbers, got ${describe(memory)}`);
  }
}
