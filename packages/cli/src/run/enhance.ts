import { existsSync, readdirSync } from "node:fs";
import { relative, resolve } from "node:path";
import { type DeviceInfo, initialize } from "@dcr-js/tensor";
import type { CommandContext } from "../command-line/command-context.js";
import { checkOutputFolder } from "../command-line/output-file.js";
import { at, checkGiven, type GivenSettings, settingAt } from "../command-line/settings-options.js";
import { configPath, mergeSettings, type PartialConfig, readRunConfig } from "../config/read-config.js";
import { resolvePaths } from "../config/resolve-paths.js";
import type { RunConfig } from "../config/run-config.js";
import { type CheckedRun, checkRun } from "../plan/check-run.js";
import { reportText, writeReport } from "../report/report.js";
import { gatherMetrics, writeResults } from "../report/results.js";
import { resultsText } from "../report/score-table.js";
import { checkResults } from "./job-result.js";
import { isDone, jobFiles, listJobs, outputFolder } from "./jobs.js";
import { publishOutputs, removeLeftovers } from "./publish.js";
import { startRun } from "./run-files.js";
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
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(/[:T]/g, "-");
  const folder = resolve(base, out ?? `runs/${stamp}`);
  checkOutputFolder(folder);
  refuseUsedFolder(folder);
  const lock = await lockRun(folder);
  try {
    // Another run may have been made there while this one waited for the lock.
    refuseUsedFolder(folder);
    await removeLeftovers(folder);
    let device: DeviceInfo;
    let checked: CheckedRun;
    try {
      device = await startDevice(config);
      checked = await checkRun(folder, config, { device });
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
  const folder = resolve(context.base, stopped);
  const config = await readRunConfig(folder);
  refuseOtherSettings(stopped, config, given, context);
  const lock = await lockRun(folder);
  try {
    const device = await startDevice(config);
    for (const job of listJobs(config)) await endOrphan(jobFiles(folder, job).worker);
    await removeLeftovers(folder);
    await checkResults(folder, config);
    const isLeft = listJobs(config).some((job) => !isDone(folder, job));
    // Where every job is done, models and images may be gone, and the report is all that is written.
    const { atOnce } = isLeft ? await checkRun(folder, config, { device, resumed: true }) : { atOnce: 1 };
    await work(folder, { config, atOnce: jobs ?? atOnce }, { device, context });
  } finally {
    await lock.release();
  }
}

function refuseUsedFolder(folder: string): void {
  if (!existsSync(folder)) return;
  if (existsSync(configPath(folder))) {
    throw new Error(
      `--out: ${folder} holds a run already; go on with it by --resume, or name another folder`,
    );
  }
  // A run that was killed before it began leaves its lock, and what it writes before its configuration.
  const ofStart = /^lock\.\d+|^(models\.json|config\.yaml\..*\.tmp|models\.json\..*\.tmp)$/;
  const found = readdirSync(folder).find((name) => !ofStart.test(name));
  if (found !== undefined)
    throw new Error(`--out: ${folder} is not empty, it holds ${found}; name another folder`);
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
  for (const { option, path } of byOption) {
    const [own, other] = [at(config as PartialConfig, path), at(resolved, path)].map((value) =>
      JSON.stringify(value),
    );
    if (own !== other) {
      throw new Error(
        `--resume: ${option} is ${other}, and the run in ${run} has ${own}; leave it out, or start another run`,
      );
    }
  }
}

async function startDevice(config: RunConfig): Promise<DeviceInfo> {
  return initialize({ device: config.device as "auto" });
}

/** Everything from a run's configuration to its report. */
async function work(
  folder: string,
  { config, atOnce }: Pick<CheckedRun, "config" | "atOnce">,
  { device, context }: { device: DeviceInfo; context: CommandContext },
): Promise<void> {
  const { base, invocation } = context;
  const name = relative(base, folder) || ".";
  console.log(`device: ${device.kind}${device.adapter ? ` (${device.adapter})` : ""}: ${device.reason}`);
  console.log(`run:    ${name}`);
  try {
    await runJobs(folder, config, { atOnce });
  } catch (error) {
    await gatherMetrics(folder, config).catch(() => {});
    throw error instanceof RunStopped
      ? new RunStopped(error.signal, `stopped; go on with: ${invocation} --resume ${name}`)
      : new Error(
          `${(error as Error).message}; when that is mended, go on with: ${invocation} --resume ${name}`,
          {
            cause: error,
          },
        );
  }
  for (const job of listJobs(config)) {
    await publishOutputs(jobFiles(folder, job).output, outputFolder(folder, job, config));
  }
  const found = await writeResults(folder, config, device);
  const report = await writeReport(folder, config, found);
  const text = resultsText(found.results);
  if (text) console.log(`\n${text}\n`);
  console.log(reportText(report, base));
}
