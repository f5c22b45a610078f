import { relative } from "node:path";
import { initialize } from "@dcr-js/tensor";
import type { Command } from "commander";
import type { CommandContext } from "../command-line/command-context.js";
import { natural } from "../command-line/parse-option.js";
import { addRunOptions, readRunOptions } from "../command-line/run-options.js";
import { addSettingOptions, checkGiven, givenSettings } from "../command-line/settings-options.js";
import { checkMethodNames } from "../config/methods.js";
import { resolvePaths } from "../config/resolve-paths.js";
import type { RunConfig } from "../config/run-config.js";
import { deviceLine } from "../device/device-line.js";
import { checkRun } from "../plan/check-run.js";
import { formatBytes } from "../plan/format-bytes.js";
import { measureSteps } from "../plan/measure-steps.js";
import type { MemoryPlan } from "../plan/plan-memory.js";
import { tryEvaluations } from "../plan/try-evaluations.js";
import { jobLabel, methodsOf } from "../run/jobs.js";
import { formatSeconds } from "../run/progress.js";
import { newRunFolder } from "../run/run-folder.js";

export function addPlanCommand(program: Command, context: CommandContext): void {
  const command = program
    .command("plan")
    .description(
      "Says what a run would load, how much memory and disk it would take, and how long. For the time it trains a few steps of each stage in a temporary folder, and evaluates the encoder as it is; no encoder is written.",
    )
    .option(
      "--measure <steps>",
      "steps of each stage that are trained to measure the time; 0 trains and evaluates nothing",
      natural,
      2,
    )
    .addHelpText("after", "\nExample:\n  dcr plan --encoder clip --diffusion sd --images photos");
  addSettingOptions(addRunOptions(command)).action(async () => {
    const { measure } = command.opts<{ measure: number }>();
    const { out, jobs } = readRunOptions(command);
    const config = resolvePaths(checkGiven(await givenSettings(command, context.base)), context.base);
    const folder = newRunFolder(out, context.base);
    checkMethodNames(config);
    const device = await initialize({ device: config.device });
    console.log(deviceLine(device));
    const checked = await checkRun(folder, config, { device });
    console.log(memoryTable(checked.memory));
    console.log(`\nwritten: ${formatBytes(checked.written)} at most, to ${relative(context.base, folder)}`);
    console.log(`jobs at the same time: ${jobs ?? checked.atOnce}`);
    if (checked.cached > 0) console.log(`latent cache: ${formatBytes(checked.cached)} at most`);
    if (measure > 0) await printTimes(checked.config, measure);
  });
}

function memoryTable({ rows, peak, chunk, microBatch }: MemoryPlan): string {
  const lines = rows.map(({ what, bytes, held }) => [
    what,
    formatBytes(bytes),
    held === "always" ? "" : "in turn",
  ]);
  lines.push(["peak", formatBytes(peak), "what is always held, and the largest of the phases"]);
  const widths = [0, 1].map((i) => Math.max(...lines.map((line) => line[i]!.length)));
  const table = lines.map(([what, bytes, note]) =>
    `${what!.padEnd(widths[0]!)}  ${bytes!.padStart(widths[1]!)}  ${note}`.trimEnd(),
  );
  return [...table, "", `chunk ${chunk}, micro-batch ${microBatch}`].join("\n");
}

const countSteps = (steps: number): string => `${steps} step${steps === 1 ? "" : "s"}`;

async function printTimes(config: RunConfig, steps: number): Promise<void> {
  const measured = await measureSteps(config, steps);
  const seeds = config.seeds.length;
  let total = 0;
  console.log("");
  for (const { job, steps: all, secondsPerStep, seconds } of measured) {
    total += seconds * seeds;
    const times = seeds > 1 ? ` for each of ${seeds} seeds` : "";
    console.log(
      `${jobLabel(job)}: ${secondsPerStep.toPrecision(3)} s a step, ${countSteps(all)}: ${formatSeconds(seconds)}${times}`,
    );
  }
  const evaluating = await tryEvaluations(config, config.evaluate);
  if (evaluating > 0) {
    const encoders = methodsOf(config).length * seeds;
    total += evaluating * encoders;
    const each = encoders > 1 ? ` for each of ${encoders} encoders` : "";
    console.log(`evaluation: ${formatSeconds(evaluating)}${each}`);
  }
  console.log(`time: ${formatSeconds(total)}, measured on ${countSteps(steps)} of each`);
}
