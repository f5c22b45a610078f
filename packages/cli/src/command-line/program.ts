import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { addDoctorCommand } from "../commands/doctor.js";
import { addEncodeCommand } from "../commands/encode.js";
import { addEnhanceCommand } from "../commands/enhance.js";
import { addEvaluateCommand } from "../commands/evaluate.js";
import { addPlanCommand } from "../commands/plan.js";
import { addReportCommand } from "../commands/report.js";
import { RunStopped } from "../run/stop-signals.js";
import { checkOptions, describe } from "../shared/check-options.js";
import { messageOf } from "../shared/message-of.js";
import type { CommandContext } from "./command-context.js";

function createProgram(context: CommandContext): Command {
  const manifest = new URL("../../package.json", import.meta.url);
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
  const program = new Command("dcr")
    .description(
      "Enhances visual encoders with Diffusion Contrastive Reconstruction (Han et al., CVPR 2026), on your own models and images.",
    )
    .version(version)
    .option("--debug", "show where an error comes from", false)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: (text, write) => write(`${inOurWords(text)}\n`) })
    .exitOverride();
  addEnhanceCommand(program, context);
  addPlanCommand(program, context);
  addEncodeCommand(program, context);
  addEvaluateCommand(program, context);
  addReportCommand(program, context);
  addDoctorCommand(program);
  for (const command of [program, ...program.commands]) refuseTwice(command);
  return program;
}

/** Commander's error in one line; a missing option is told as a missing setting is. */
function inOurWords(error: string): string {
  // Commander adds "(Did you mean ...?)" on a line of its own.
  const line = error.trim().replaceAll("\n", " ");
  return line.replace(/required option '(--[\w-]+).*' not specified$/, "$1: missing");
}

/** Commander takes the last value of an option that is given twice, and drops the first. */
function refuseTwice(command: Command): void {
  for (const option of command.options.filter(({ required, optional }) => required || optional)) {
    let count = 0;
    command.on(`option:${option.name()}`, () => {
      count++;
      if (count > 1) command.error(`error: option '${option.flags}' is given twice`);
    });
  }
}

let isWatching = false;

/** Keeps the command alive when its reader has gone (`dcr doctor | head`), and reports an output that is full. */
function watchOutput(): void {
  if (isWatching) return;
  isWatching = true;
  let isTold = false;
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE" || error.code === "EIO") return;
      process.exitCode = 1;
      // Every later write fails alike.
      if (stream === process.stdout && !isTold) console.error(`error: the standard output: ${error.message}`);
      isTold = true;
    });
  }
}

/**
 * Runs a command line, such as `["doctor"]`. An error is printed as one line on standard error and sets the exit code.
 *
 * @param args what follows the command's name
 * @param options `base`: the folder that relative paths start from, by default the current one; `invocation`: how messages call
 * `dcr enhance`, for a program that runs it under another name
 */
export async function runCommandLine(
  args: readonly string[],
  options?: Partial<CommandContext>,
): Promise<void> {
  if (!Array.isArray(args as unknown) || args.some((arg: unknown) => typeof arg !== "string")) {
    // Commander would take the host program's own arguments for none.
    throw new TypeError(`runCommandLine: args must be a list of texts, got ${describe(args)}`);
  }
  const { base = process.cwd(), invocation = "dcr enhance" } = checkOptions("runCommandLine", options, {
    base: true,
    invocation: true,
  });
  watchOutput();
  const program = createProgram({ base, invocation });
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    // Commander has printed its own: a usage error, or the help that was asked for.
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode;
      return;
    }
    if (error instanceof RunStopped) {
      process.exitCode = error.exitCode;
      console.error(error.message);
      return;
    }
    process.exitCode = 1;
    console.error(`error: ${messageOf(error).split("\n")[0]}`);
    if (program.opts<{ debug: boolean }>().debug) console.error(error);
  }
}
