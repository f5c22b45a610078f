import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { writeFileAtomically } from "@dcr-js/tensor";
import { type Cell, resultsFolder } from "./cells.js";

/** The committed results of a question that is measured on the encoders of question 1: a file for each cell. */
export interface MeasurementFile<T> {
  path(cell: Cell, folder?: string): string;
  /** Undefined where the cell is not measured yet. */
  read(cell: Cell, folder?: string): Promise<T | undefined>;
  write(cell: Cell, result: T): Promise<void>;
}

export function measurementFile<T>(name: string): MeasurementFile<T> {
  const path = ({ set, seed }: Cell, folder = resultsFolder) =>
    join(folder, name, `set-${set}-seed-${seed}.json`);
  return {
    path,
    read: async (cell, folder) => {
      const file = path(cell, folder);
      return existsSync(file) ? (JSON.parse(await readFile(file, "utf8")) as T) : undefined;
    },
    write: async (cell, result) => {
      const file = path(cell);
      await mkdir(dirname(file), { recursive: true });
      await writeFileAtomically(file, `${JSON.stringify(result, null, 1)}\n`);
    },
  };
}

/** A section of the study's page, and its figure where there is one. */
export interface Section {
  section: string;
  picture?: string;
}

/**
 * Makes the section of a measurement when all cells are measured; until then it says how many are.
 *
 * @param title with its Markdown heading
 */
export async function measurementSection<T>(
  {
    title,
    file,
    cells,
    folder,
  }: { title: string; file: MeasurementFile<T>; cells: readonly Cell[]; folder?: string },
  make: (results: T[]) => Section | Promise<Section>,
): Promise<Section> {
  const found = await Promise.all(cells.map((cell) => file.read(cell, folder)));
  const results = found.filter((result) => result !== undefined);
  if (results.length < cells.length) {
    const done = `${results.length} of ${cells.length} runs are measured. The figures appear here when all are.`;
    return { section: `${title}\n\n${results.length === 0 ? "Not run yet." : done}` };
  }
  const { section, ...picture } = await make(results);
  return { section: `${title}\n\n${section}`, ...picture };
}
