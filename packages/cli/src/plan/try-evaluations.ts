import { namingOption } from "../command-line/naming-option.js";
import type { RunConfig } from "../config/run-config.js";
import { expectedGroups } from "../evaluate/evaluate-encoder.js";
import { joinEvaluations } from "../evaluate/evaluation.js";
import { type MethodJob, readEvaluation } from "../run/job-result.js";
import { runJobs } from "../run/run-jobs.js";
import { inTemporaryRun } from "./temporary-run.js";

/**
 * Evaluates the encoder as it is, once, with a projector that nobody has trained, so that an evaluation which fails is found before anything is
 * trained.
 *
 * @param evaluate some of the run's evaluations
 * @returns the seconds that they took
 * @throws naming `--evaluate` and the module, also where it gives figures of the group of an evaluation that is not tried
 */
export async function tryEvaluations(config: RunConfig, evaluate: readonly string[]): Promise<number> {
  if (evaluate.length === 0) return 0;
  const tried: RunConfig = { ...config, seeds: [config.seeds[0]!], evaluate: [...evaluate] };
  return inTemporaryRun(tried, async (folder) => {
    const began = performance.now();
    await runJobs(folder, tried, { purpose: "try" });
    const seconds = (performance.now() - began) / 1000;
    const job: MethodJob = { kind: "method", method: "original", seed: tried.seeds[0]! };
    const evaluation = await readEvaluation(folder, tried, job);
    const others = config.evaluate.filter((what) => !evaluate.includes(what));
    await namingOption("--evaluate", async () => {
      joinEvaluations([...expectedGroups(others), { what: evaluate.join(", "), evaluation }]);
    });
    return seconds;
  });
}
