import { initialize } from "@dcr-js/tensor";
import type { Command } from "commander";
import type { CommandContext } from "../command-line/command-context.js";
import { text } from "../command-line/parse-option.js";
import { readRunConfig } from "../config/read-config.js";
import { absolutePath } from "../config/resolve-paths.js";
import { reportText, writeReport } from "../report/report.js";
import { readDevice, writeResults } from "../report/results.js";
import { resultsText } from "../report/score-table.js";
import { isDone, jobName, listJobs } from "../run/jobs.js";
import { lockRun } from "../run/run-lock.js";

export function addReportCommand(program: Command, context: CommandContext): void {
  program
    .command("report")
    .description(
      "Writes a finished run's metrics.jsonl, results.json, report.html and picture anew, and prints its table.",
    )
    .argument("<run>", "the run's folder", text)
    .addHelpText("after", "\nExample:\n  dcr report runs/photos")
    .action(async (run: string) => {
      const folder = absolutePath(run, context.base);
      const config = await readRunConfig(folder);
      const goOn = (why: string, cause?: unknown) =>
        new Error(`${why}; go on with: ${context.invocation} --resume ${run}`, { cause });
      const missing = listJobs(config).find((job) => !isDone(folder, job));
      if (missing) throw goOn(`${run}: ${jobName(missing)} is not done`);
      const lock = await lockRun(folder);
      try {
        // The maps of features are computed on tensors.
        await initialize({ device: "cpu" });
        const device = await readDevice(folder).catch((error: Error) => {
          throw goOn(error.message, error);
        });
        const found = await writeResults(folder, config, device);
        const report = await writeReport(folder, config, found);
        const table = resultsText(found.results);
        if (table) console.log(`${table}\n`);
        console.log(reportText(report, context.base));
      } finally {
        await lock.release();
      }
    });
}
