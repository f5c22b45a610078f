import type { RunConfig } from "../config/run-config.js";
import { runJobs } from "../run/run-jobs.js";
import { inTemporaryRun } from "./temporary-run.js";

/**
 * Evaluates the encoder as it is, once, with a projector that nobody has trained, so that an evaluation which fails is found before anything is
 * trained.
 *
 * @param evaluate some of the run's evaluations
 * @returns the seconds that they took
 * @throws naming `--evaluate` and the module
 */
export async function tryEvaluations(config: RunConfig, evaluate: readonly string[]): Promise<number> {
  if (evaluate.length === 0) return 0;
  const tried: RunConfig = { ...config, seeds: [config.seeds[0]!], evaluate: [...evaluate] };
  return inTemporaryRun(tried, async (folder) => {
    const began = performance.now();
    await runJobs(folder, tried, { purpose: "try" });
    return (performance.now() - began) / 1000;
  });
}
