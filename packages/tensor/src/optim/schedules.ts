import { checkNumber, checkOptions } from "../shared/check-options.js";

/** A factor on the learning rate as a function of the step, counted from 0. @throws for a step that is no number or below 0. */
export type LearningRateSchedule = (step: number) => number;

/** Linear warm-up from 0, then constant 1 (Hugging Face's `constant_with_warmup`). */
export function warmupConstant(options: { warmupSteps: number }): LearningRateSchedule {
  const { warmupSteps } = checkOptions("warmupConstant", options, { warmupSteps: true });
  checkNumber("warmupConstant: warmupSteps", warmupSteps, { min: 0, integer: true });
  return (step) => {
    checkNumber("warmupConstant: step", step, { min: 0 });
    return step < warmupSteps ? step / Math.max(1, warmupSteps) : 1;
  };
}

/** Linear warm-up from 0, then half a cosine down to 0 at `totalSteps` (Hugging Face's `cosine`), and 0 from there on. */
export function warmupCosine(options: { warmupSteps: number; totalSteps: number }): LearningRateSchedule {
  const { warmupSteps, totalSteps } = checkOptions("warmupCosine", options, {
    warmupSteps: true,
    totalSteps: true,
  });
  checkNumber("warmupCosine: warmupSteps", warmupSteps, { min: 0, integer: true });
  checkNumber("warmupCosine: totalSteps", totalSteps, { min: 1, integer: true });
  return (step) => {
    checkNumber("warmupCosine: step", step, { min: 0 });
    if (step < warmupSteps) return step / Math.max(1, warmupSteps);
    const progress = Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
    return 0.5 * (1 + Math.cos(Math.PI * progress));
  };
}
