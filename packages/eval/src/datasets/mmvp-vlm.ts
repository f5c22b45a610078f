import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { type ImageDataset, imageArray } from "@dcr-js/data";
import { parse } from "csv-parse/sync";
import { checkOptions, checkText, describe } from "../shared/check-options.js";
import { checkBelow, checkDifferent, checkFile } from "./published-files.js";

/** The nine visual patterns (Tong et al. 2024, section 3.1), as the published folders are named. */
export const mmvpPatterns = [
  "Orientation and Direction",
  "Presence of Specific Features",
  "State and Condition",
  "Quantity and Count",
  "Positional and Relational Context",
  "Color and Appearance",
  "Structural Characteristics",
  "Texts",
  "Viewpoint and Perspective",
] as const;

export interface MMVPVLMOptions {
  /** Text before each statement. Default `"a photo of "`, as in the published script; `""` for statements that need none. */
  prefix?: string;
}

/** The pairs of MMVP-VLM: image `2 i` and statement `2 i` belong together, and so do those of `2 i + 1`. */
export interface MMVPVLM {
  /** For `encodeImages`. */
  dataset: ImageDataset;
  /** As they are to be encoded, with the prefix. */
  statements: string[];
  /** The pattern of each pair, half as many as there are statements. */
  patterns: string[];
}

/**
 * MMVP-VLM as published (Tong et al. 2024), or pairs of one's own in its form: `Questions.csv` with a number, a pattern and a statement in each row, and
 * `MLLM_VLM Images/<pattern>/<number>.jpg`. Rows 1 and 2 are a pair, 3 and 4 the next. The published script, `evaluate_vlm.py`, encodes
 * "a photo of " and the statement.
 *
 * @throws naming the file and the row that is not as published, and an image that is missing
 */
export async function mmvpVLM(folder: string, options?: MMVPVLMOptions): Promise<MMVPVLM> {
  checkText("mmvpVLM: folder", folder);
  const { prefix = "a photo of " } = checkOptions("mmvpVLM", options, { prefix: true });
  if (typeof prefix !== "string")
    throw new TypeError(`mmvpVLM: prefix must be a text, got ${describe(prefix)}`);
  const path = join(folder, "Questions.csv");
  await checkFile("mmvpVLM", path);
  const [header, ...rows] = parseRows(path, await readFile(path, "utf8"));
  if (!header || /^\d+$/.test(header[0])) {
    throw new Error(
      `mmvpVLM: ${path}: row 1 must name the columns, such as Question ID,Type,Statement, got ${header ? describe(header.join(",")) : "nothing"}`,
    );
  }
  const questions = rows.map((row, i) => {
    const [id, pattern, statement] = row;
    if (row.length !== 3 || !/^\d+$/.test(id) || !pattern || !statement) {
      const got = row.length === 3 ? describe(row.join(",")) : `${row.length} columns`;
      const hint = row.length > 3 ? "; a statement with a comma needs quotes" : "";
      throw new Error(
        `mmvpVLM: ${path}: row ${i + 2} must have a number, a pattern and a statement, got ${got}${hint}`,
      );
    }
    checkBelow(`mmvpVLM: ${path}: row ${i + 2}: pattern`, pattern);
    return { id, pattern, statement };
  });
  if (questions.length === 0 || questions.length % 2 !== 0) {
    throw new Error(`mmvpVLM: ${path}: expected pairs of questions, got ${questions.length} rows`);
  }
  const patterns: string[] = [];
  for (let i = 0; i < questions.length; i += 2) {
    if (questions[i].pattern !== questions[i + 1].pattern) {
      throw new Error(`mmvpVLM: ${path}: rows ${i + 2} and ${i + 3} are a pair and must have one pattern`);
    }
    patterns.push(questions[i].pattern);
  }
  const images = questions.map(({ id, pattern }) => {
    const name = `${pattern}/${id}.jpg`;
    return { name, image: join(folder, "MLLM_VLM Images", pattern, `${id}.jpg`) };
  });
  checkDifferent(
    images.map(({ name }) => name),
    (i) => `mmvpVLM: ${path}: the image of row ${i + 2}`,
  );
  for (const { image } of images) {
    if (!(await stat(image).catch(() => undefined))?.isFile())
      throw new Error(`mmvpVLM: ${image}: no such file`);
  }
  const statements = questions.map(({ statement }) => prefix + statement);
  return { dataset: imageArray(images), statements, patterns };
}

function parseRows(path: string, text: string): string[][] {
  try {
    return parse(text, { bom: true, skip_empty_lines: true, trim: true, relax_column_count: true });
  } catch (error) {
    throw new Error(`mmvpVLM: ${path}: ${(error as Error).message}`, { cause: error });
  }
}
