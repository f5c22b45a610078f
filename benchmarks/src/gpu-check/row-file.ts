import { readFile } from "node:fs/promises";
import { writeFileAtomically } from "@dcr-js/tensor";

/** Appends to the rows of a JSON file, so that a part that is stopped leaves what it had. */
export async function writeRow(file: string, row: unknown): Promise<void> {
  await writeFileAtomically(file, `${JSON.stringify([...((await readRows(file)) ?? []), row], null, 2)}\n`);
}

/** Undefined where no row was written. */
export async function readRows(file: string): Promise<unknown[] | undefined> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as unknown[];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
