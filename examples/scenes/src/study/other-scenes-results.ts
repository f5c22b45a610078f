import { randomInt } from "node:crypto";
import { loadImageEncoder } from "@dcr-js/encoders";
import { createEvaluation } from "../evaluate/create-evaluation.js";
import type { Cell } from "./cells.js";
import { methodNames } from "./comparisons.js";
import { measurementFile } from "./measurement-file.js";
import type { FigureName } from "./plan.js";
import { trainedEncoders } from "./trained-encoders.js";

/** The figures that are measured again. */
export const otherFigures = ["P strict", "D"] as const satisfies readonly FigureName[];

/** A cell's figures, shares in [0, 1], on test scenes of another seed of the generator. */
export interface OtherScenesResult {
  /** The generator's seed, drawn when the cell was measured. */
  seed: number;
  methods: Record<string, Record<(typeof otherFigures)[number], number>>;
}

export const otherScenesFile = measurementFile<OtherScenesResult>("other-scenes");

/**
 * Evaluates the encoders of a finished cell of question 1 on test scenes that nobody has seen: the generator's seed is drawn now. Writes the figures with the seed.
 *
 * @throws where the cell's encoders are not there
 */
export async function measureOtherScenes(cell: Cell): Promise<void> {
  const { encoder: folderOf } = trainedEncoders(cell);
  const seed = randomInt(2 ** 48 - 1);
  const evaluate = createEvaluation({ seed, outOfDomain: false });
  const methods: OtherScenesResult["methods"] = {};
  for (const method of methodNames(cell.part)) {
    const { encoder, processor, textEncoder, tokenizer, dispose } = await loadImageEncoder(folderOf(method));
    const encodeText = async (texts: string[]) => {
      const ids = tokenizer!.encode(texts);
      try {
        return textEncoder!.encodeText(ids);
      } finally {
        ids.dispose();
      }
    };
    try {
      const { figures } = await evaluate({ encoder, processor, encodeText, dispose, seed: cell.seed });
      methods[method] = { "P strict": figures.means["P strict"], D: figures.means.D };
    } finally {
      dispose();
    }
  }
  await otherScenesFile.write(cell, { seed, methods });
}
