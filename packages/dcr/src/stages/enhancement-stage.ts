import type { Objective } from "../objectives/objective.js";
import { describe } from "../shared/check-options.js";
import { createStage, type Stage } from "./stage.js";
import { type Adapters, checkStageOptions, type StageOptions, type StageSettings } from "./stage-options.js";

export interface EnhancementOptions extends StageOptions {
  /** The objective that the encoder learns from. */
  objective: Objective;
  /** The part of the encoder that trains: a `LoRA` on it, or parameters of the user's choice. */
  adapters: Adapters;
}

/**
 * Stage 2, encoder enhancement (Han et al. 2026, section 4.3): trains the encoder's adapters; everything else is frozen.
 *
 * @throws on options that are unknown, missing, out of range or do not fit together
 */
export function createEnhancementStage(options: EnhancementOptions): Stage {
  const { settings, adapters } = check("createEnhancementStage", options);
  settings.projector.requiresGrad(false);
  return createStage(settings, {
    name: "enhancement",
    trained: { adapters, projector: false },
    // An evaluation between two steps turns dropout off.
    prepare: () => settings.encoder.train(true),
    dispose: () => {},
  });
}

/**
 * End-to-end training, the paper's ablation of the two stages (Han et al. 2026, section 5): trains projector and adapters together.
 *
 * @throws as {@link createEnhancementStage}, and on an objective that uses no predictions
 */
export function createEndToEndStage(options: EnhancementOptions): Stage {
  const caller = "createEndToEndStage";
  const { settings, adapters } = check(caller, options);
  const { objective } = settings;
  if (!objective.usesPredictions) {
    throw new Error(
      `${caller}: objective must use predictions, as the projector is trained through them alone, got ${objective.name}; createEnhancementStage trains the encoder without one`,
    );
  }
  settings.projector.requiresGrad(true);
  return createStage(settings, {
    name: "end-to-end",
    trained: { adapters, projector: true },
    prepare: () => settings.encoder.train(true),
    dispose: () => {},
  });
}

function check(caller: string, options: EnhancementOptions): { settings: StageSettings; adapters: Adapters } {
  const { adapters, ...rest } = options ?? {};
  const settings = checkStageOptions(caller, rest);
  if (typeof adapters?.parameters !== "function") {
    throw new TypeError(`${caller}: adapters must be a LoRA or { parameters() }, got ${describe(adapters)}`);
  }
  if (adapters.parameters().length === 0) throw new Error(`${caller}: adapters have no parameters to train`);
  return { settings, adapters };
}
