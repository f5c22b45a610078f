import { createImageCache } from "../image-cache/image-cache.js";
import { rowsOfTensor, tensorOfRows } from "../image-cache/rows-of-tensor.js";
import type { Objective } from "../objectives/objective.js";
import { recObjective } from "../objectives/rec.js";
import { checkNumber } from "../shared/check-options.js";
import { createStage, type Stage } from "./stage.js";
import { checkStageOptions, type StageOptions } from "./stage-options.js";

export interface AlignmentOptions extends StageOptions {
  /** The objective that the projector learns from; it must use predictions. Default `recObjective()`. */
  objective?: Objective;
  /** Host memory for features of images that come again, in bytes; 0 keeps none. Default 256 MiB. */
  featureCacheBytes?: number;
}

/**
 * Stage 1, projector alignment (Han et al. 2026, section 4.3): trains only the projector; the encoder is frozen.
 *
 * The default objective, reconstruction, is the paper's. The reference implementation uses the DCR objective in both stages, at
 * the cost of N times the predictions. With reconstruction here and DCR in stage 2, stage 2 starts from conditions whose predictions
 * hardly differ from one image to another, and its first steps mostly push all of them apart.
 *
 * @throws on options that are unknown, missing, out of range or do not fit together
 */
export function createAlignmentStage(options: AlignmentOptions): Stage {
  const caller = "createAlignmentStage";
  const { featureCacheBytes: asked, objective = recObjective(), ...rest } = options ?? {};
  const featureCacheBytes = asked ?? 2 ** 28;
  checkNumber(`${caller}: featureCacheBytes`, featureCacheBytes, { integer: true, min: 0 });
  const settings = checkStageOptions(caller, { ...rest, objective });
  if (asked !== undefined && asked > 0 && settings.localTokens > 0) {
    throw new Error(
      `${caller}: featureCacheBytes must be 0 with localTokens, whose features do not come again, got ${asked}`,
    );
  }
  if (!objective.usesPredictions) {
    throw new Error(
      `${caller}: objective must use predictions, as the projector is trained through them only, got ${objective.name}`,
    );
  }
  const { encoder, projector } = settings;
  encoder.requiresGrad(false);
  projector.requiresGrad(true);
  // Local tokens are drawn anew in each step, so their features do not come again.
  const cache =
    featureCacheBytes > 0 && settings.localTokens === 0 ? createImageCache(featureCacheBytes) : undefined;
  return createStage(settings, {
    name: "alignment",
    trained: { projector: true },
    frozenFeatures:
      cache &&
      (async (images, encode) => {
        const { size } = settings.source;
        return tensorOfRows(await cache.rows(images, size, (fresh) => rowsOfTensor(encode(fresh))));
      }),
    prepare: () => encoder.train(false),
    dispose: () => cache?.clear(),
  });
}
