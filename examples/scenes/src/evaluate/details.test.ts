import "@tensorflow/tfjs-backend-cpu";
import { expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { completeCaption } from "../scenes/captions.js";
import {
  type Factor,
  type FactorValue,
  factorIndex,
  factorNames,
  factors,
  identities,
} from "../scenes/factors.js";
import type { Scene } from "../scenes/scene.js";
import { type ScenePair, scenePairs } from "../scenes/splits.js";
import { loadSprites } from "../scenes/sprites.js";
import { byFactor, imageDetails, textDetails } from "./details.js";

let pairs: ScenePair[];
beforeAll(async () => {
  pairs = scenePairs({ split: "validation", perFactor: 20, sprites: await loadSprites(), size: 16 }).pairs;
});

/** One dimension for each identity and for each value of the factors that an encoder sees. */
function vector(scene: Scene, seen: readonly Factor[]): number[] {
  const oneHot = (length: number, at: number) => Array.from({ length }, (_, i) => (i === at ? 1 : 0));
  return [
    ...oneHot(identities.length, identities.indexOf(scene.identity)),
    ...factorNames.flatMap((name) =>
      oneHot(factors[name].length, seen.includes(name) ? factorIndex(name, scene[name] as FactorValue) : -1),
    ),
  ];
}
const encode = (seen: readonly Factor[]) =>
  tf.tensor2d(pairs.flatMap(({ scenes }) => scenes.map((scene) => vector(scene, seen))));

describe("imageDetails", () => {
  it("finds every pair with a feature that knows all factors, and none with one that knows only the identity", async () => {
    await expectNoLeaks(async () => {
      const [all, none] = [encode(factorNames), encode([])];
      const knows = await imageDetails(all, pairs);
      expect([knows.strict.accuracy, knows.twoWay.accuracy]).toEqual([1, 1]);
      expect(knows.byStyle.twoStyles).toEqual({ strict: 1, twoWay: 1 });
      const ignores = await imageDetails(none, pairs);
      // Ties are never right.
      expect([ignores.strict.accuracy, ignores.twoWay.accuracy]).toEqual([0, 0]);
      tf.dispose([all, none]);
    });
  });

  it("finds the pairs of the factors that a feature knows", async () => {
    const some = encode(["count", "tint"]);
    const { strict, twoWay } = await imageDetails(some, pairs);
    for (const scores of [strict, twoWay]) {
      for (const { pattern, accuracy, count } of byFactor("P", scores)) {
        expect(count).toBe(20);
        expect(accuracy, pattern).toBe(["count", "tint"].includes(pattern) ? 1 : 0);
      }
    }
    some.dispose();
  });
});

describe("textDetails", () => {
  it("finds what text and image both say, and asks for what CLIP has never seen by its category", async () => {
    await expectNoLeaks(async () => {
      const images = encode(factorNames);
      const asked: string[] = [];
      // A text tower that knows the words for facing and colour of the background.
      const words: [string, Factor, FactorValue][] = [
        ["facing left", "facing", "left"],
        ["facing right", "facing", "right"],
        ...factors.background.map((value): [string, Factor, FactorValue] => [
          `on ${value}`,
          "background",
          value,
        ]),
      ];
      const encodeText = async (texts: string[]) => {
        asked.push(...texts);
        return tf.tensor2d(
          texts.map((text) => {
            const row = [...identities.map((name) => (text.split(" ").includes(name) ? 1 : 0))];
            for (const name of factorNames) {
              for (const value of factors[name]) {
                const said = words.some(([word, f, v]) => f === name && v === value && text.endsWith(word));
                row.push(said ? 1 : 0);
              }
            }
            return row.some(Boolean) ? row : row.map(() => 1);
          }),
        );
      };
      const scores = await textDetails(encodeText, images, pairs);
      for (const { pattern, accuracy } of byFactor("P text", scores)) {
        expect(accuracy, pattern).toBe(["facing", "background"].includes(pattern) ? 1 : 0);
      }
      expect(new Set(asked).size).toBe(asked.length);
      expect(asked.some((text) => /^animal |^vehicle |^food |^object /.test(text))).toBe(true);
      expect(asked.some((text) => /\b(ox|oxen|microscopes?)\b/.test(text))).toBe(false);
      expect(completeCaption(pairs[0].scenes[0])).toContain(asked[0].split(" ").at(-1));
      images.dispose();
    });
  });
});
