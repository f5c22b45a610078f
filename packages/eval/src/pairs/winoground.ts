import * as tf from "@tensorflow/tfjs-core";
import { type Features, openSameWidth } from "../features/open-features.js";
import { rowCosines } from "../features/similarity-rows.js";
import { checkTieTolerance, type TieOptions } from "../features/tie-tolerance.js";
import { checkOptions } from "../shared/check-options.js";
import { wilsonInterval } from "../statistics/wilson-interval.js";

/** Two images with two captions of the same words: caption 0 describes image 0, and caption 1 image 1. */
export interface WinogroundFeatures {
  /** `[n, dim]`, as all of them. */
  images0: Features;
  images1: Features;
  captions0: Features;
  captions1: Features;
}

export interface WinogroundResult {
  /** Each image prefers its own caption. */
  text: boolean;
  /** Each caption prefers its own image. */
  image: boolean;
  /** Both. */
  group: boolean;
  /** Similarities `[c0 i0, c0 i1, c1 i0, c1 i1]` of caption and image. */
  similarities: [number, number, number, number];
}

export interface WinogroundScores {
  /** Shares of the examples. Chance is 1/4, 1/4 and 1/6. */
  text: number;
  image: number;
  group: number;
  /** Wilson's 95 % intervals. */
  intervals: Record<"text" | "image" | "group", [number, number]>;
  count: number;
  examples: WinogroundResult[];
}

/**
 * Winoground's text, image and group score (Thrush et al. 2022, section 3.3). A tie is never right.
 *
 * @example
 * const { text, image, group } = await winogroundScores({ images0, images1, captions0, captions1 });
 */
export async function winogroundScores(
  features: WinogroundFeatures,
  options?: TieOptions,
): Promise<WinogroundScores> {
  const tie = checkTieTolerance(
    "winogroundScores",
    checkOptions("winogroundScores", options, { tieTolerance: true }),
  );
  const names = { images0: true, images1: true, captions0: true, captions1: true } as const;
  const { images0, images1, captions0, captions1 } = checkOptions(
    "winogroundScores: features",
    features,
    names,
  );
  const opened = await openSameWidth("winogroundScores", { images0, images1, captions0, captions1 });
  try {
    const n = opened.images0.shape[0];
    for (const [name, { shape }] of Object.entries(opened)) {
      if (shape[0] !== n)
        throw new Error(`winogroundScores: ${name} must have ${n} rows, as images0, got [${shape}]`);
    }
    const columns = [
      await rowCosines(opened.captions0, opened.images0),
      await rowCosines(opened.captions0, opened.images1),
      await rowCosines(opened.captions1, opened.images0),
      await rowCosines(opened.captions1, opened.images1),
    ];
    const examples = Array.from({ length: n }, (_, i): WinogroundResult => {
      const similarities = columns.map((column) => column[i]) as WinogroundResult["similarities"];
      const [c0i0, c0i1, c1i0, c1i1] = similarities;
      const text = c0i0 - c1i0 > tie && c1i1 - c0i1 > tie;
      const image = c0i0 - c0i1 > tie && c1i1 - c1i0 > tie;
      return { text, image, group: text && image, similarities };
    });
    const share = (score: "text" | "image" | "group") =>
      examples.filter((example) => example[score]).length / n;
    const [text, image, group] = [share("text"), share("image"), share("group")];
    const intervals = {
      text: wilsonInterval(text, n),
      image: wilsonInterval(image, n),
      group: wilsonInterval(group, n),
    };
    return { text, image, group, intervals, count: n, examples };
  } finally {
    tf.dispose(opened);
  }
}
