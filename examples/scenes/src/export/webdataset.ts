import { join } from "node:path";
import { writeFileAtomically } from "@dcr-js/tensor";
import { packTar, type TarEntry } from "modern-tar";
import type { SceneSet } from "../scenes/splits.js";
import { imageOf, pngFile } from "./image-file.js";
import type { SceneRecord } from "./scene-records.js";

const SAMPLES_PER_SHARD = 1000;

/**
 * Writes `00000.tar`, `00001.tar` and so on with 1,000 samples each: `000000042.png`, `.txt` (the complete caption), `.cls` (the identity's
 * number) and `.json` (the record). The same scenes give the same bytes.
 */
export async function writeWebDataset(
  folder: string,
  set: SceneSet,
  records: readonly SceneRecord[],
): Promise<void> {
  const shards = Math.ceil(records.length / SAMPLES_PER_SHARD);
  for (let shard = 0; shard < shards; shard++) {
    const entries: TarEntry[] = [];
    const add = (name: string, body: string | Uint8Array) => {
      const size = typeof body === "string" ? Buffer.byteLength(body) : body.length;
      entries.push({ header: { name, size, mtime: new Date(0), mode: 0o644, type: "file" }, body });
    };
    for (const record of records.slice(shard * SAMPLES_PER_SHARD, (shard + 1) * SAMPLES_PER_SHARD)) {
      const key = String(record.index).padStart(9, "0");
      add(`${key}.png`, await pngFile(imageOf(set, record.index), set.size));
      add(`${key}.txt`, record.complete_caption);
      add(`${key}.cls`, String(record.label));
      add(`${key}.json`, JSON.stringify(record));
    }
    await writeFileAtomically(join(folder, `${String(shard).padStart(5, "0")}.tar`), await packTar(entries));
  }
}
