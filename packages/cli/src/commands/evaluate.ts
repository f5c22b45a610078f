import { resolve } from "node:path";
import { initialize, writeFileAtomically } from "@dcr-js/tensor";
import type { Command } from "commander";
import type { CommandContext } from "../command-line/command-context.js";
import { addDeviceOption, type DeviceOption } from "../command-line/device-option.js";
import { integer, listOf, text } from "../command-line/parse-option.js";
import { resolveEvaluation, resolveModelName } from "../config/resolve-paths.js";
import { checkEvaluations, evaluateEncoder } from "../evaluate/evaluate-encoder.js";
import { loadWholeEncoder } from "../evaluate/loaded-encoder.js";

interface Options extends DeviceOption {
  encoder: string;
  on: string[];
  seed: number;
  out?: string;
}

export function addEvaluateCommand(program: Command, context: CommandContext): void {
  const command = program
    .command("evaluate")
    .description(
      "Measures an encoder: detail pairs of MMVP-VLM, classes of a folder, or a module of your own.",
    )
    .requiredOption("--encoder <folder|id>", "CLIP or SigLIP: a Hugging Face folder or hub id", text)
    .requiredOption(
      "--on <what>",
      "comma-separated: mmvp:<folder>, folder:<folder>, the path of a module",
      listOf(text),
    )
    .option("--seed <n>", "of what is random, such as the centres of k-means", integer, 0)
    .option("--out <file>", "write the figures as JSON too", text)
    .addHelpText(
      "after",
      "\nExample:\n  dcr evaluate --encoder runs/photos/encoder --on mmvp:MMVP_VLM,folder:birds",
    );
  addDeviceOption(command).action(async (options: Options) => {
    const { base } = context;
    const what = options.on.map((one) => resolveEvaluation(one, base));
    await checkEvaluations(what);
    await initialize({ device: options.device });
    const loaded = await loadWholeEncoder(resolveModelName(options.encoder, base));
    try {
      const evaluation = await evaluateEncoder(what, { ...loaded, seed: options.seed });
      for (const [group, figures] of Object.entries(evaluation.figures)) {
        const shown = Object.entries(figures).map(([name, value]) => `${name} ${(100 * value).toFixed(1)}`);
        console.log(`${group}: ${shown.join(", ")}`);
      }
      if (options.out)
        await writeFileAtomically(
          resolve(context.base, options.out),
          `${JSON.stringify(evaluation, null, 2)}\n`,
        );
    } finally {
      loaded.dispose();
    }
  });
}
