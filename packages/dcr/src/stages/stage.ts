import type { ImageBatch, SourcePosition } from "@dcr-js/data";
import type { GradientConflict } from "@dcr-js/gradient-conflict";
import { AdamW, clipGradNorm, type Parameter, Random, warmupConstant, warmupCosine } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { messageOf } from "../shared/message-of.js";
import { type Aggregated, aggregate } from "./aggregate.js";
import type { Trained } from "./backward.js";
import { batchGradients, type FrozenFeatures, type TermGradients } from "./batch-gradients.js";
import { type BatchReader, readBatches } from "./read-batch.js";
import type { StageSettings } from "./stage-options.js";
import {
  checkMemory,
  checkPosition,
  checkState,
  type StageSetting,
  type StageState,
  stageState,
} from "./stage-state.js";
import { addTerms, reduceTerms } from "./step-terms.js";

/** The report of a step. */
export interface StepRecord {
  /** From 0. */
  step: number;
  /** The weighted sum of the losses. */
  loss: number;
  /** Each loss, by name. */
  losses: Record<string, number>;
  /** Figures that the objective measures beside its losses, such as the mean similarities of the DCR loss. */
  metrics: Record<string, number>;
  /** Global norm of the gradient, before clipping. */
  gradNorm: number;
  learningRate: number;
  /** How the losses' gradients compare (norms, cosines), where `conflict` asks and there are two or more. */
  conflict?: GradientConflict;
  /** The weight that the aggregator gave to each loss's gradient, by the loss's name, beside the loss's own weight. */
  weights?: Record<string, number>;
}

/** A stage in progress. One step runs at a time. */
export interface Stage {
  /** @throws when a loss, its gradient or a metric is not finite, by its name; the weights are as before then. */
  step(): Promise<StepRecord>;
  /** Everything that a later process needs to go on after the last step; the caller disposes the tensors. */
  state(): StageState;
  /**
   * Goes on from a `state()`, to the identical result; the caller keeps its tensors.
   *
   * @throws on a state of another stage, seed, accumulation, objective or aggregator (these two by their names), of parameters of other
   *   shapes, or with values that are not finite; nothing is changed then
   */
  restore(state: StageState): Promise<void>;
  /** Frees everything that the stage made; models, adapters and source stay their owners'. */
  dispose(): void;
}

export interface StageParts {
  /** Names the stage in its state, and its random draws. */
  name: string;
  trained: Trained;
  frozenFeatures?: FrozenFeatures;
  /** Called before each step. */
  prepare(): void;
  /** Frees what these parts made. */
  dispose(): void;
}

/** A stage's parts, and what it remembers from step to step. */
interface RunningStage {
  settings: StageSettings;
  parts: StageParts;
  parameters: Parameter[];
  optimizer: AdamW;
  /** The factor on the learning rate. */
  factor: (step: number) => number;
  random: Random;
  reader: BatchReader;
  /** The source's position after the last step. A step that is not taken does not move it. */
  position: SourcePosition;
  /** What the aggregator and the objective remember. */
  memory?: number[];
  objectiveMemory?: number[];
}

/** A step of every stage: batches, losses and gradients, sum over ranks, aggregate, clip, update. */
export function createStage(settings: StageSettings, parts: StageParts): Stage {
  const { source, objective, aggregator, learningRate, weightDecay, seed, accumulation } = settings;
  const parameters = trainedParameters(settings, parts.trained);
  const position = source.position();
  checkPosition("source: position()", position);
  const running: RunningStage = {
    settings,
    parts,
    parameters,
    optimizer: new AdamW(parameters, { learningRate, weightDecay }),
    factor: scheduleOf(settings),
    random: new Random(seed).fork(parts.name),
    reader: readBatches(source),
    position,
  };
  const setting: StageSetting = {
    stage: parts.name,
    seed,
    accumulation,
    objective: objective.name,
    ...(aggregator && { aggregator: aggregator.name }),
  };
  let busy: string | undefined;
  let disposed = false;
  const alone = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    if (disposed) throw new Error(`${name}: the stage is disposed`);
    if (busy) throw new Error(`${name}: the stage is busy with ${busy}; await that first`);
    busy = name;
    try {
      return await work();
    } finally {
      busy = undefined;
    }
  };
  return {
    step: () => alone("step", () => takeStep(running)),
    state: () => stageState({ setting, ...running }),
    restore: (state) =>
      alone("restore", async () => {
        const remembers = objective.remember !== undefined;
        const checked = await checkState(state, { setting, parameters, remembers });
        await running.reader.restart();
        source.restore(checked.position);
        running.optimizer.loadStateDict(checked.optimizer);
        for (const [i, parameter] of parameters.entries()) parameter.assign(checked.values[i]);
        const { position, memory, objectiveMemory } = checked;
        Object.assign(running, { position, memory, objectiveMemory });
      }),
    dispose: () => {
      disposed = true;
      running.optimizer.dispose();
      parts.dispose();
      // A source that cannot stop early is its owner's to close.
      running.reader.close().catch(() => {});
    },
  };
}

async function takeStep(running: RunningStage): Promise<StepRecord> {
  const { settings, parts, optimizer } = running;
  const step = optimizer.stepCount;
  parts.prepare();
  setGradientCheckpointing(settings);
  const sums = new Map<string, TermGradients>();
  let gradient: tf.Tensor[] = [];
  try {
    await addBatches(running, sums);
    const terms = [...sums.values()];
    const figures = await reduceTerms(settings.communicator, terms, settings.accumulation);
    const { loss, losses, metrics, terms: values } = figures;
    const aggregated = await aggregate(
      terms.map(({ name, weight, gradients }) => ({
        name,
        weight: weight / settings.accumulation,
        gradients,
      })),
      settings.aggregator,
      { step, memory: running.memory, losses: values },
    );
    gradient = aggregated.gradient;
    const names = terms.map(({ name }) => name);
    const { gradNorm, learningRate } = await update(running, { aggregated, names, metrics });
    const { conflict, weights } = aggregated;
    return {
      step,
      loss,
      losses,
      metrics,
      gradNorm,
      learningRate,
      ...(settings.conflict && conflict && { conflict }),
      ...(weights && { weights }),
    };
  } catch (error) {
    throw new Error(`step ${step} was not taken: ${messageOf(error)}`, { cause: error });
  } finally {
    tf.dispose([Array.from(sums.values(), ({ gradients }) => gradients), gradient]);
  }
}

function setGradientCheckpointing({ encoder, denoiser, gradientCheckpointing }: StageSettings): void {
  if (gradientCheckpointing === undefined) return;
  encoder.enableGradientCheckpointing(gradientCheckpointing);
  denoiser.enableGradientCheckpointing?.(gradientCheckpointing);
}

/** Adds the terms of a step's batches to `sums`, which owns their gradients. */
async function addBatches(
  { settings, parts, optimizer, random, reader, objectiveMemory: memory }: RunningStage,
  sums: Map<string, TermGradients>,
): Promise<void> {
  const { frozenFeatures } = parts;
  for (let i = 0; i < settings.accumulation; i++) {
    const batch: ImageBatch = await reader.next();
    const own = random.fork(optimizer.stepCount * settings.accumulation + i);
    const input = { batch, random: own, frozenFeatures, memory };
    addTerms(sums, await batchGradients(settings, parts.trained, input));
  }
}

/** Clips the gradient, checks it and all that others' code returns, and changes the weights. */
async function update(
  running: RunningStage,
  {
    aggregated: { gradient, memory },
    names,
    metrics,
  }: { aggregated: Aggregated; names: readonly string[]; metrics: Record<string, number> },
): Promise<Pick<StepRecord, "gradNorm" | "learningRate">> {
  const { settings, optimizer, factor, objectiveMemory } = running;
  const { source, objective, aggregator, maxGradNorm } = settings;
  const learningRate = settings.learningRate * factor(optimizer.stepCount + 1);
  const clipped = clipGradNorm(gradient, maxGradNorm);
  try {
    const gradNorm = (await clipped.norm.data())[0];
    // A step along NaN would leave neither weights nor moments to go back to.
    if (!Number.isFinite(gradNorm)) {
      throw new Error(`the gradient of ${names.join(" and ")} has norm ${gradNorm}`);
    }
    // Others' code runs before the weights change: where it fails, the step is not taken.
    checkMemory(`aggregator ${aggregator?.name}: memory`, memory);
    const remembered = objective.remember?.(metrics, objectiveMemory);
    if (objective.remember) checkMemory(`objective ${objective.name}: memory`, remembered, true);
    const reached: unknown = source.position();
    checkPosition("source: position()", reached);
    optimizer.step(clipped.gradients, learningRate);
    running.memory = memory;
    running.objectiveMemory = remembered;
    running.position = reached;
    return { gradNorm, learningRate };
  } finally {
    tf.dispose([clipped.gradients, clipped.norm]);
  }
}

/**
 * The factor on the learning rate. Hugging Face's warm-up wastes its first step on a rate of zero, which a short run cannot spare; and the cosine
 * reaches 0 one step after the last.
 */
function scheduleOf({ schedule, warmupSteps, totalSteps }: StageSettings): (step: number) => number {
  if (schedule === "constant") return warmupConstant({ warmupSteps });
  return warmupCosine({ warmupSteps, totalSteps: totalSteps! + 1 });
}

/** The parameters that a stage trains, in the order of its gradients. */
function trainedParameters({ projector }: StageSettings, trained: Trained): Parameter[] {
  return [...(trained.adapters?.parameters() ?? []), ...(trained.projector ? projector.parameters() : [])];
}
