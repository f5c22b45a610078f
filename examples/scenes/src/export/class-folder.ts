import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomically } from "@dcr-js/tensor";
import { stringify } from "csv-stringify/sync";
import type { SceneSet } from "../scenes/splits.js";
import { imageOf, pngFile } from "./image-file.js";
import { recordColumns, type SceneRecord } from "./scene-records.js";

/**
 * Writes `<identity>/<number>.png`, and `metadata.csv` with a row for each image: `file_name`, as Hugging Face's image folders have it, and the
 * record.
 */
export async function writeClassFolder(
  folder: string,
  set: SceneSet,
  records: readonly SceneRecord[],
): Promise<void> {
  const rows: unknown[][] = [["file_name", ...recordColumns]];
  for (const record of records) {
    const name = `${record.identity}/${String(record.index).padStart(6, "0")}.png`;
    await mkdir(join(folder, record.identity), { recursive: true });
    await writeFileAtomically(join(folder, name), await pngFile(imageOf(set, record.index), set.size));
    rows.push([name, ...recordColumns.map((column) => String(record[column]))]);
  }
  await writeFileAtomically(join(folder, "metadata.csv"), stringify(rows));
}
