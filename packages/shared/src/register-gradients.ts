import {
  type GradConfig,
  getGradient,
  registerGradient,
  type Tensor,
  unregisterGradient,
} from "@tensorflow/tfjs-core";
import { addedGradients } from "./added-gradients.js";
import { correctedGradients } from "./corrected-gradients.js";
import { correctLosses } from "./corrected-losses.js";
import { freeFailedGradients } from "./failed-gradients.js";
import { guardCustomGradients } from "./gradients-custom.js";
import { isRecording, relinkOutputs } from "./gradients-tape.js";
import { specialGradients } from "./special-gradients.js";
import { mendTapeEntries } from "./tape-entries.js";
import { gradientConfigs } from "./tfjs-gradients.js";

/** A gradient whose own derivative is right too, where it reads the op's output. */
function twiceDifferentiable(config: GradConfig): GradConfig {
  const count = config.outputsToSave?.filter(Boolean).length ?? 0;
  if (count === 0) return config;
  return {
    ...config,
    gradFunc: (dy, saved: Tensor[], attrs) =>
      config.gradFunc(
        dy,
        isRecording() ? relinkOutputs(saved, (i) => i >= saved.length - count) : saved,
        attrs,
      ),
  };
}

// The registry is one object in the process, whichever copy of tfjs-core asks. A bundler's ESM copy has registered its own, of which
// some are wrong, so ours take their place.
for (const config of [...gradientConfigs, ...correctedGradients, ...specialGradients, ...addedGradients]) {
  if (getGradient(config.kernelName)) unregisterGradient(config.kernelName);
  registerGradient(twiceDifferentiable(config));
}
guardCustomGradients();
freeFailedGradients();
mendTapeEntries();
correctLosses();
