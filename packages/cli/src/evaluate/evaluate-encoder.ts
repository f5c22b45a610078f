import { existsSync } from "node:fs";
import { basename } from "node:path";
import { imageFolder } from "@dcr-js/data";
import { classFolder, mmvpVLM } from "@dcr-js/eval/datasets";
import { withoutFunctionName } from "../command-line/naming-option.js";
import { importDefault, isModulePath } from "../config/import-default.js";
import type { TextSide } from "../models/model-shapes.js";
import { describe } from "../shared/check-options.js";
import { expectation } from "../shared/expectation.js";
import { messageOf } from "../shared/message-of.js";
import { evaluateClassFolder } from "./class-folder.js";
import { type AskedEvaluation, type Evaluation, evaluationSchema, joinEvaluations } from "./evaluation.js";
import type { EvaluationInput } from "./evaluation-input.js";
import { evaluateMMVP } from "./mmvp.js";

/** The default export of a user's evaluation module. */
export type EvaluationModule = (input: EvaluationInput) => Promise<Evaluation> | Evaluation;

/**
 * Evaluates an encoder.
 *
 * @param what `mmvp:<folder>`, `folder:<folder with a folder for each class>`, or the path of a module
 */
export async function evaluateEncoder(what: readonly string[], input: EvaluationInput): Promise<Evaluation> {
  const asked: AskedEvaluation[] = [];
  input.encoder.train(false);
  for (const one of what) asked.push({ what: one, evaluation: await evaluateOne(one, input) });
  return joinEvaluations(asked);
}

/**
 * Checks that evaluations can be made, before anything is trained.
 *
 * @param option what asked for them, for errors
 * @throws where a file or a folder is missing, and where two evaluations give figures of the same group; the error names them
 */
export async function checkEvaluations(
  what: readonly string[],
  text: TextSide,
  option = "--evaluate",
): Promise<void> {
  const groups = new Map<string, string>();
  for (const one of what) {
    try {
      await checkEvaluation(one, text);
      const group = groupOf(parseEvaluation(one));
      const other = group && groups.get(group);
      if (other)
        throw new Error(`its figures are of the group "${group}", as those of ${other}; rename one folder`);
      if (group) groups.set(group, one);
    } catch (error) {
      throw new Error(`${option} ${one}: ${withoutFunctionName(messageOf(error))}`, { cause: error });
    }
  }
}

async function checkEvaluation(what: string, text: TextSide): Promise<void> {
  const { kind, path } = parseEvaluation(what);
  if (!existsSync(path)) throw new Error(`no such ${kind === "module" ? "file" : "folder"}`);
  if (kind === "module") await importEvaluation(path);
  else if (kind === "mmvp") {
    await mmvpVLM(path);
    const lacks = text.hasText ? "the encoder's folder has no tokenizer" : "the encoder has no text tower";
    if (!text.tokenizer) throw new Error(`the statements cannot be read: ${lacks}`);
  } else {
    await classFolder(path);
    // Names the files that are not read.
    await imageFolder(path, { log: (line) => console.error(line) });
  }
}

interface ParsedEvaluation {
  kind: "mmvp" | "folder" | "module";
  path: string;
}

/** The group of an evaluation's figures; undefined for a module, which names its own. */
function groupOf({ kind, path }: ParsedEvaluation): string | undefined {
  if (kind === "module") return undefined;
  return kind === "mmvp" ? "MMVP-VLM" : basename(path);
}

/** The groups of figures that evaluations of ours will give. */
export function expectedGroups(what: readonly string[]): AskedEvaluation[] {
  return what.flatMap((one) => {
    const group = groupOf(parseEvaluation(one));
    return group === undefined ? [] : [{ what: one, evaluation: { figures: { [group]: {} } } }];
  });
}

/** @throws where an evaluation is of no known form */
export function parseEvaluation(what: string): ParsedEvaluation {
  const [, kind, path] = /^(mmvp|folder):(.+)$/s.exec(what) ?? [];
  if (kind && path) return { kind: kind as "mmvp" | "folder", path };
  if (isModulePath(what)) return { kind: "module", path: what };
  throw new Error("expected mmvp:<folder>, folder:<folder> or a module");
}

/** Whether an evaluation is a user's module. */
export const isEvaluationModule = (what: string): boolean => parseEvaluation(what).kind === "module";

async function evaluateOne(what: string, input: EvaluationInput): Promise<Evaluation> {
  const { kind, path } = parseEvaluation(what);
  if (kind === "mmvp") return evaluateMMVP(path, input);
  if (kind === "folder") return evaluateClassFolder(path, input);
  const evaluate = await importEvaluation(path);
  let given: unknown;
  try {
    given = await evaluate(input);
  } catch (error) {
    throw new Error(`${path}: ${messageOf(error)}`, { cause: error });
  }
  const result = evaluationSchema.safeParse(given);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const found = issue.path.reduce<unknown>((value, key) => (value as never)?.[key], given);
  throw new Error(
    `${path}: ${issue.path.join(".") || "its result"}: ${expectation(issue)}, got ${describe(found)}`,
  );
}

async function importEvaluation(path: string): Promise<EvaluationModule> {
  const evaluate = await importDefault(path);
  if (typeof evaluate === "function") return evaluate as EvaluationModule;
  throw new Error(`the default export must be a function, got ${describe(evaluate)}`);
}
