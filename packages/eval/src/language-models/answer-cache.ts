import { appendFile, open, readFile, truncate } from "node:fs/promises";

/** Answers in a file of JSON lines, each written as it comes, so that a run that was stopped goes on where it was. */
export interface AnswerCache {
  get(key: string): string | undefined;
  add(key: string, text: string): Promise<void>;
}

/**
 * Opens a cache; makes the file where it is not there. Half a line at the end, of a run that was killed, is cut off.
 *
 * @throws naming the line that is no answer, or the file that cannot be read or written: before the first answer, which may be paid for
 */
export async function openAnswerCache(path: string): Promise<AnswerCache> {
  const failed = (error: Error): never => {
    throw new Error(`askQuestions: cache ${path}: ${error.message}`, { cause: error });
  };
  const file = await open(path, "a").catch(failed);
  await file.close();
  const content = await readFile(path).catch(failed);
  const whole = content.lastIndexOf(10) + 1;
  if (whole < content.length) await truncate(path, whole).catch(failed);
  const answers = new Map<string, string>();
  const lines = content.subarray(0, whole).toString("utf8").split("\n").slice(0, -1);
  for (const [i, line] of lines.entries()) {
    const { key, text } = parse(line);
    if (typeof key !== "string" || typeof text !== "string") {
      throw new Error(`askQuestions: cache ${path}: line ${i + 1} is no answer; delete the line or the file`);
    }
    answers.set(key, text);
  }
  let writing: Promise<void> = Promise.resolve();
  return {
    get: (key) => answers.get(key),
    add: (key, text) => {
      answers.set(key, text);
      // One after the other, so that no two lines mix.
      writing = writing.then(() => appendFile(path, `${JSON.stringify({ key, text })}\n`).catch(failed));
      return writing;
    },
  };
}

function parse(line: string): { key?: unknown; text?: unknown } {
  try {
    return JSON.parse(line) ?? {};
  } catch {
    return {};
  }
}
