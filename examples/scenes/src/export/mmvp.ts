import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomically } from "@dcr-js/tensor";
import { stringify } from "csv-stringify/sync";
import { detailCaption } from "../scenes/captions.js";
import type { ScenePairs } from "../scenes/splits.js";
import { imageOf, jpegFile } from "./image-file.js";

/**
 * Writes pairs as MMVP-VLM is published (Tong et al. 2024): `Questions.csv` with a number, a pattern and a statement in each row, two rows a pair, and
 * `MLLM_VLM Images/<pattern>/<number>.jpg`. The pattern is the factor, and the statement the name with its value, such as "tiger facing
 * left". Beside them, for image-image pairs: each image's twin under the same name in `Twins`, and `pairs.json` with all scenes.
 */
export async function writeMMVP(folder: string, { size, pairs, images }: ScenePairs): Promise<void> {
  const rows: string[][] = [["Question ID", "Type", "Statement"]];
  const folders = ["MLLM_VLM Images", "Twins"].map((name) => join(folder, name));
  for (const [i, { factor, scenes }] of pairs.entries()) {
    for (const parent of folders) await mkdir(join(parent, factor), { recursive: true });
    for (const which of [0, 1]) {
      const id = 2 * i + which + 1;
      rows.push([String(id), factor, detailCaption(scenes[which], factor)]);
      for (const [twin, parent] of folders.entries()) {
        const pixels = imageOf({ size, images }, 4 * i + 2 * twin + which);
        await writeFileAtomically(join(parent, factor, `${id}.jpg`), await jpegFile(pixels, size));
      }
    }
  }
  await writeFileAtomically(join(folder, "Questions.csv"), stringify(rows));
  const facts = pairs.map(({ factor, values, sameStyle, scenes }, i) => ({
    ids: [2 * i + 1, 2 * i + 2],
    ...{ factor, values, sameStyle, scenes: scenes.slice(0, 2), twins: scenes.slice(2) },
  }));
  await writeFileAtomically(join(folder, "pairs.json"), `${JSON.stringify(facts)}\n`);
}
