import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join, relative } from "node:path";
import { type DeviceInfo, initialize } from "@dcr-js/tensor";
import type { CommandContext } from "../command-line/command-context.js";
import { withoutFunctionName } from "../command-line/naming-option.js";
import { at, checkGiven, type GivenSettings, settingAt } from "../command-line/settings-options.js";
import { checkMethodNames } from "../config/methods.js";
import { mergeSettings, type PartialConfig, readRunConfig } from "../config/read-config.js";
import { absolutePath, resolvePaths } from "../config/resolve-paths.js";
import type { RunConfig } from "../config/run-config.js";
import { deviceLine } from "../device/device-line.js";
import { isEvaluationModule } from "../evaluate/evaluate-encoder.js";
import { type CheckedRun, checkRun } from "../plan/check-run.js";
import { tryEvaluations } from "../plan/try-evaluations.js";
import { reportText, writeReport } from "../report/report.js";
import { gatherMetrics, writeResults } from "../report/results.js";
import { resultsText } from "../report/score-table.js";
import { messageOf } from "../shared/message-of.js";
import { checkResults } from "./job-result.js";
import { isDone, jobFiles, listJobs, outputFolder } from "./jobs.js";
import { removeLeftovers } from "./leftovers.js";
import { publishOutputs } from "./publish.js";
import { startRun } from "./run-files.js";
import { newRunFolder, refuseUsedFolder } from "./run-folder.js";
import { checkResumedInputs, writeInputs } from "./run-inputs.js";
import { runJobs } from "./run-jobs.js";
import { lockRun } from "./run-lock.js";
import { RunStopped } from "./stop-signals.js";
import { endOrphan } from "./workers.js";

/** How a run is worked on; nothing of it changes a number. */
interface Working {
  /** Jobs at the same time; by default what cores and memory allow. */
  jobs?: number;
  context: CommandContext;
}

/** Starts a run. @param given settings as the user gave them */
export async function enhance(
  given: GivenSettings,
  { out, jobs, context }: Working & { out?: string },
): Promise<void> {
  const { base } = context;
  const config = resolvePaths(checkGiven(given), base);
  checkMethodNames(config);
  const folder = newRunFolder(out, base);
  const lock = await lockRun(folder);
  try {
    // Another run may have been made there while this one waited for the lock.
    refuseUsedFolder(folder);
    await removeLeftovers(folder, []);
    let device: DeviceInfo;
    let checked: CheckedRun;
    try {
      device = await initialize({ device: config.device });
      console.log(deviceLine(device));
      checked = await checkRun(folder, config, { device });
      await tryEvaluations(checked.config, checked.config.evaluate.filter(isEvaluationModule));
      await startRun(folder, checked.config);
    } catch (error) {
      // A run that cannot start leaves nothing.
      await lock.discard();
      throw error;
    }
    await work(folder, { config: checked.config, atOnce: jobs ?? checked.atOnce }, { device, context });
  } finally {
    await lock.release();
  }
}

/** Goes on with a stopped run. @param given options, which must not differ from the run's */
export async function resume(
  stopped: string,
  given: GivenSettings,
  { jobs, context }: Working,
): Promise<void> {
  const folder = absolutePath(stopped, context.base);
  const config = await readRunConfig(folder);
  refuseOtherSettings(stopped, config, given, context);
  const lock = await lockRun(folder);
  try {
    const found = await initialize({ device: config.device }).catch((error: Error) => {
      const why = withoutFunctionName(error.message);
      throw new Error(`--resume: the run began on ${config.device}: ${why}`, { cause: error });
    });
    // The settings name the kind that the run began on, which may have been found and not asked for.
    const device = { ...found, reason: "the run began on it" };
    console.log(deviceLine(device));
    const all = listJobs(config);
    for (const job of all) await endOrphan(jobFiles(folder, job).worker);
    await removeLeftovers(folder, all);
    await checkResults(folder, config);
    const isLeft = all.some((job) => !isDone(folder, job));
    // Where every job is done, models and images may be gone, and the report is all that is written.
    const atOnce = isLeft ? await checkLeft(folder, config, device) : 1;
    await work(folder, { config, atOnce: jobs ?? atOnce }, { device, context });
  } finally {
    await lock.release();
  }
}

/** Checks a run that goes on, and notes the inputs that were mended meanwhile. @returns how many jobs may run at the same time */
async function checkLeft(folder: string, config: RunConfig, device: DeviceInfo): Promise<number> {
  const { inputs, evaluations } = await checkResumedInputs(folder, config);
  const { atOnce } = await checkRun(folder, config, { device, resumed: true });
  await tryEvaluations(config, evaluations.filter(isEvaluationModule));
  await writeInputs(folder, inputs);
  return atOnce;
}

function refuseOtherSettings(
  run: string,
  config: RunConfig,
  { byOption }: GivenSettings,
  { base }: CommandContext,
): void {
  if (byOption.length === 0) return;
  const asked = byOption.reduce(
    (all: PartialConfig, { path, value }) => mergeSettings(all, settingAt(path, value)),
    config as PartialConfig,
  );
  const resolved = resolvePaths(checkGiven({ settings: asked, byOption }), base) as PartialConfig;
  for (const { option, path, value } of byOption) {
    // The run keeps the kind that it found.
    if (path === "device" && value === "auto") continue;
    const [own, other] = [at(config as PartialConfig, path), at(resolved, path)].map((value) =>
      JSON.stringify(value),
    );
    if (own !== other) {
      throw new Error(
        `--resume: ${option} is ${other}, and the run in ${run} has ${own}; omit it, or start another run`,
      );
    }
  }
}

/** Everything from a run's configuration to its report. */
async function work(
  folder: string,
  { config, atOnce }: Pick<CheckedRun, "config" | "atOnce">,
  { device, context }: { device: DeviceInfo; context: CommandContext },
): Promise<void> {
  const { base, invocation } = context;
  const name = relative(base, folder) || ".";
  console.log(`run:    ${name}`);
  try {
    await runJobs(folder, config, { atOnce });
  } catch (error) {
    await gatherMetrics(folder, config).catch(() => {});
    throw error instanceof RunStopped
      ? new RunStopped(error.signal, `stopped; go on with: ${invocation} --resume ${name}`)
      : new Error(`${messageOf(error)}; when that is mended, go on with: ${invocation} --resume ${name}`, {
          cause: error,
        });
  }
  for (const job of listJobs(config)) {
    const { folder: own, output, outputSettings } = jobFiles(folder, job);
    const published = outputFolder(folder, job, config);
    await publishOutputs(output, published);
    await rm(outputSettings, { force: true });
    const isTrained = job.kind === "method" && job.method !== "original";
    if (isTrained && !existsSync(join(published, "encoder"))) {
      const [encoder, jobFolder] = [join(published, "encoder"), own].map((path) => relative(base, path));
      console.log(`note:   ${encoder} is not there any more; delete ${jobFolder} and resume to make it anew`);
    }
  }
  const found = await writeResults(folder, config, device);
  const report = await writeReport(folder, config, found);
  const text = resultsText(found.results);
  if (text) console.log(`\n${text}\n`);
  console.log(reportText(report, base));
}
