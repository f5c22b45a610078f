import { checkNumber, describe } from "../shared/check-options.js";
import { type ConflictRecord, checkConflictRecord } from "./conflict-record.js";

/**
 * A record as one line of JSON, with its newline, to be appended to a file.
 *
 * @throws on a number that JSON cannot hold, with its place
 *
 * @example
 * await appendFile("conflict.jsonl", toJsonLine({ step, ...measures }));
 */
export function toJsonLine(record: ConflictRecord): string {
  return `${JSON.stringify(checkConflictRecord("toJsonLine: record", record))}\n`;
}

/**
 * The records of a file's text. A last line without its newline is what a process left that ended while it wrote, and is dropped; so is a byte order mark.
 *
 * @throws with the line's number when a line is no record
 */
export function parseJsonLines(text: string): ConflictRecord[] {
  return wholeLines("parseJsonLines", text).flatMap((line, i) => {
    if (line.trim() === "") return [];
    const name = `parseJsonLines: line ${i + 1}`;
    let record: ConflictRecord;
    try {
      record = JSON.parse(line);
    } catch (error) {
      throw new Error(`${name} is not JSON: ${(error as Error).message}`);
    }
    return [checkConflictRecord(name, record)];
  });
}

/**
 * The text of a run's file up to a step, to which a run that is resumed at this step may append: without the records of later steps, which
 * come anew, and without a torn last line.
 *
 * @param step the first that is run again, an integer of at least 0
 *
 * @example
 * await writeFile(path, jsonLinesBefore(await readFile(path, "utf8"), state.step));
 */
export function jsonLinesBefore(text: string, step: number): string {
  checkNumber("jsonLinesBefore: step", step, { min: 0, integer: true });
  return parseJsonLines(text)
    .filter((record) => record.step < step)
    .map(toJsonLine)
    .join("");
}

function wholeLines(caller: string, text: string): string[] {
  if (typeof text !== "string")
    throw new TypeError(`${caller}: text must be a string, got ${describe(text)}`);
  return text
    .replace(/^\uFEFF/, "")
    .split("\n")
    .slice(0, -1);
}
