import type { ImageBatch } from "@dcr-js/data";
import type { GradientConflict } from "@dcr-js/gradient-conflict";
import { AdamW, clipGradNorm, type Parameter, Random, warmupConstant, warmupCosine } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { messageOf } from "../shared/message-of.js";
import { aggregate } from "./aggregate.js";
import type { Trained } from "./backward.js";
import { batchGradients, type FrozenFeatures, type TermGradients } from "./batch-gradients.js";
import { readBatches } from "./read-batch.js";
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

/** A step of every stage: batches, losses and gradients, sum over ranks, aggregate, clip, update. */
export function createStage(settings: StageSettings, parts: StageParts): Stage {
  const { source, encoder, denoiser, objective, communicator, gradientCheckpointing } = settings;
  const { accumulation, learningRate, maxGradNorm, weightDecay } = settings;
  const parameters = trainedParameters(settings, parts.trained);
  // A step that is not taken does not move the position that a later process goes on from.
  let position = source.position();
  checkPosition("source: position()", position);
  const optimizer = new AdamW(parameters, { learningRate, weightDecay });
  // Hugging Face's warm-up wastes its first step on a rate of zero; a short run cannot spare it.
  const factor = scheduleOf(settings);
  const random = new Random(settings.seed).fork(parts.name);
  const reader = readBatches(source);
  const setting: StageSetting = {
    stage: parts.name,
    seed: settings.seed,
    accumulation,
    objective: objective.name,
    ...(settings.aggregator && { aggregator: settings.aggregator.name }),
  };
  let memory: number[] | undefined;
  let objectiveMemory: number[] | undefined;
  let busy: string | undefined;
  let disposed = false;

  const step = async (): Promise<StepRecord> => {
    const done = optimizer.stepCount;
    const rate = learningRate * factor(done + 1);
    parts.prepare();
    if (gradientCheckpointing !== undefined) {
      encoder.enableGradientCheckpointing(gradientCheckpointing);
      denoiser.enableGradientCheckpointing?.(gradientCheckpointing);
    }
    const sums = new Map<string, TermGradients>();
    let gradient: tf.Tensor[] | undefined;
    try {
      for (let i = 0; i < accumulation; i++) {
        const batch: ImageBatch = await reader.next();
        const own = random.fork(done * accumulation + i);
        const { frozenFeatures } = parts;
        const input = { batch, random: own, frozenFeatures, memory: objectiveMemory };
        addTerms(sums, await batchGradients(settings, parts.trained, input));
      }
      const terms = [...sums.values()];
      const { loss, losses, metrics, terms: values } = await reduceTerms(communicator, terms, accumulation);
      const aggregated = await aggregate(
        terms.map(({ name, weight, gradients }) => ({ name, weight: weight / accumulation, gradients })),
        settings.aggregator,
        { step: done, memory, losses: values },
      );
      gradient = aggregated.gradient;
      const clipped = clipGradNorm(gradient, maxGradNorm);
      try {
        const gradNorm = (await clipped.norm.data())[0];
        // A step along NaN would leave neither weights nor moments to go back to.
        if (!Number.isFinite(gradNorm)) {
          throw new Error(
            `the gradient of ${terms.map(({ name }) => name).join(" and ")} has norm ${gradNorm}`,
          );
        }
        // Others' code runs before the weights change: where it fails, the step is not taken.
        checkMemory(`aggregator ${settings.aggregator?.name}: memory`, aggregated.memory);
        const remembered = objective.remember?.(metrics, objectiveMemory);
        if (objective.remember) checkMemory(`objective ${objective.name}: memory`, remembered, true);
        const reached: unknown = source.position();
        checkPosition("source: position()", reached);
        optimizer.step(clipped.gradients, rate);
        memory = aggregated.memory;
        objectiveMemory = remembered;
        position = reached;
        const { conflict, weights } = aggregated;
        return {
          step: done,
          loss,
          losses,
          metrics,
          gradNorm,
          learningRate: rate,
          ...(settings.conflict && conflict && { conflict }),
          ...(weights && { weights }),
        };
      } finally {
        tf.dispose([clipped.gradients, clipped.norm]);
      }
    } catch (error) {
      throw new Error(`step ${done} was not taken: ${messageOf(error)}`, { cause: error });
    } finally {
      tf.dispose([Array.from(sums.values(), ({ gradients }) => gradients), gradient ?? []]);
    }
  };

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
    step: () => alone("step", step),
    state: () => stageState({ setting, optimizer, parameters, position, memory, objectiveMemory }),
    restore: (state) =>
      alone("restore", async () => {
        const checked = await checkState(state, {
          setting,
          parameters,
          remembers: objective.remember !== undefined,
        });
        await reader.restart();
        source.restore(checked.position);
        optimizer.loadStateDict(checked.optimizer);
        for (const [i, parameter] of parameters.entries()) parameter.assign(checked.values[i]);
        memory = checked.memory;
        objectiveMemory = checked.objectiveMemory;
        position = checked.position;
      }),
    dispose: () => {
      disposed = true;
      optimizer.dispose();
      parts.dispose();
      // A source that cannot stop early is its owner's to close.
      reader.close().catch(() => {});
    },
  };
}

/** The factor on the learning rate. The cosine reaches 0 one step after the last, so that no step is wasted. */
function scheduleOf({ schedule, warmupSteps, totalSteps }: StageSettings): (step: number) => number {
  if (schedule === "constant") return warmupConstant({ warmupSteps });
  return warmupCosine({ warmupSteps, totalSteps: totalSteps! + 1 });
}

/** The parameters that a stage trains, in the order of its gradients. */
function trainedParameters({ projector }: StageSettings, trained: Trained): Parameter[] {
  return [...(trained.adapters?.parameters() ?? []), ...(trained.projector ? projector.parameters() : [])];
}
