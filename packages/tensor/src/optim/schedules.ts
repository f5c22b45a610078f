/** A factor on the learning rate as a function of the step, counted from 0. */
export type LearningRateSchedule = (step: number) => number;

/** Linear warm-up from 0, then constant 1 (Hugging Face's `constant_with_warmup`). */
export function warmupConstant({ warmupSteps }: { warmupSteps: number }): LearningRateSchedule {
  return (step) => (step < warmupSteps ? step / Math.max(1, warmupSteps) : 1);
}

/** Linear warm-up from 0, then half a cosine down to 0 at `totalSteps` (Hugging Face's `cosine`), and 0 from there on. */
export function warmupCosine(options: { warmupSteps: number; totalSteps: number }): LearningRateSchedule {
  const { warmupSteps, totalSteps } = options;
  return (step) => {
    if (step < warmupSteps) return step / Math.max(1, warmupSteps);
    const progress = Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
    return 0.5 * (1 + Math.cos(Math.PI * progress));
  };
}
