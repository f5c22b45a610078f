import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { reportHTML, type Section } from "@dcr-js/eval";
import { initialize, writeFileAtomically } from "@dcr-js/tensor";
import type { Command } from "commander";
import type { CommandContext } from "../command-line/command-context.js";
import { addDeviceOption, type DeviceOption } from "../command-line/device-option.js";
import { checkOutputFolder } from "../command-line/output-file.js";
import { listOf, natural, text } from "../command-line/parse-option.js";
import { configPath } from "../config/read-config.js";
import { absolutePath, resolveEvaluation, resolveModelName } from "../config/resolve-paths.js";
import { checkEvaluations, evaluateEncoder } from "../evaluate/evaluate-encoder.js";
import type { Evaluation } from "../evaluate/evaluation.js";
import { loadWholeEncoder } from "../evaluate/loaded-encoder.js";
import { readEncoderShape } from "../models/model-shapes.js";
import { resolveEncoder } from "../models/resolve-models.js";

interface Options extends DeviceOption {
  encoder: string;
  revision?: string;
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
    .option("--revision <name>", "branch, tag or commit of the encoder's hub id; main by default", text)
    .requiredOption(
      "--on <what>",
      "comma-separated: mmvp:<folder>, folder:<folder>, the path of a module",
      listOf(text),
    )
    .option("--seed <n>", "seed of everything random, such as the centres of k-means", natural, 0)
    .option(
      "--out <folder>",
      "write report.html and results.json there: measures, patterns, confusion, t-SNE, UMAP, neighbours",
      text,
    )
    .addHelpText(
      "after",
      "\nExample:\n  dcr evaluate --encoder runs/photos/encoder --on mmvp:MMVP_VLM,folder:birds --out runs/photos/evaluation",
    );
  addDeviceOption(command).action(async (options: Options) => {
    const { base } = context;
    const what = options.on.map((one) => resolveEvaluation(one, base));
    const out = options.out === undefined ? undefined : absolutePath(options.out, base);
    if (out !== undefined) {
      checkOutputFolder(out);
      refuseRun(out);
    }
    const encoder = await resolveEncoder(
      { encoder: resolveModelName(options.encoder, base), encoderRevision: options.revision },
      "--revision",
    );
    await checkEvaluations(what, await readEncoderShape(encoder), "--on");
    if (out !== undefined) await mkdir(out, { recursive: true });
    await initialize({ device: options.device });
    const loaded = await loadWholeEncoder(encoder);
    const sections: Section[] = [];
    try {
      const evaluation = await evaluateEncoder(what, {
        ...loaded,
        seed: options.seed,
        ...(out !== undefined && { addSection: (section: Section) => sections.push(section) }),
      });
      for (const [group, figures] of Object.entries(evaluation.figures)) {
        const shown = Object.entries(figures).map(([name, value]) => `${name} ${(100 * value).toFixed(1)}`);
        console.log(`${group}: ${shown.join(", ")}`);
      }
      if (out !== undefined) {
        await writeEvaluation(out, { title: options.encoder, evaluation, sections });
        console.log(`report: ${relative(base, join(out, "report.html"))}`);
      }
    } finally {
      loaded.dispose();
    }
  });
}

/** @throws where a folder is a run's, whose results and report would be overwritten */
function refuseRun(folder: string): void {
  if (!existsSync(configPath(folder))) return;
  const other = join(folder, "evaluation");
  throw new Error(
    `--out: ${folder} is a run's folder, whose results would be overwritten; take another, such as ${other}`,
  );
}

async function writeEvaluation(
  folder: string,
  { title, evaluation, sections: own }: { title: string; evaluation: Evaluation; sections: Section[] },
): Promise<void> {
  const rows = Object.entries(evaluation.figures).flatMap(([group, figures]) =>
    Object.entries(figures).map(([name, value]): [string, string, number] => [group, name, value]),
  );
  const figures: Section = { kind: "table", title: "Figures", columns: ["on", "measure", "value"], rows };
  const report = { title, sections: [figures, ...own] };
  await writeFileAtomically(
    join(folder, "results.json"),
    `${JSON.stringify({ ...evaluation, report }, null, 2)}\n`,
  );
  await writeFileAtomically(join(folder, "report.html"), reportHTML(report));
}
