import { createHash } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { factorNames, knownIdentities, styles } from "./factors.js";
import { type ScenePairsOptions, type SceneSetOptions, scenePairs, sceneSet, splits } from "./splits.js";
import { loadSprites, type Sprites } from "./sprites.js";

let sprites: Sprites;
beforeAll(async () => {
  sprites = await loadSprites();
});

const bytes = 32 * 32 * 3;
const hashes = (images: Uint8Array) =>
  Array.from({ length: images.length / bytes }, (_, i) =>
    createHash("sha256")
      .update(images.subarray(i * bytes, (i + 1) * bytes))
      .digest("hex"),
  );

describe("sceneSet", () => {
  it("begins with the shorter set, and shows the same scenes at another size", () => {
    const options = { split: "test", sprites, seed: 9 } as const;
    const [long, short] = [sceneSet({ ...options, count: 20 }), sceneSet({ ...options, count: 8 })];
    expect(long.scenes.slice(0, 8)).toEqual(short.scenes);
    expect(long.images.subarray(0, short.images.length)).toEqual(short.images);
    const large = sceneSet({ ...options, count: 8, size: 64 });
    expect(large.scenes).toEqual(short.scenes);
    expect(large.images.length).toBe(8 * 64 * 64 * 3);
  });

  it("has no image twice in splits, seeds and sets of other names", () => {
    const all = splits.flatMap((split) =>
      [0, 1].flatMap((seed) =>
        ["scenes", "other"].flatMap((name) =>
          hashes(sceneSet({ split, seed, name, count: 200, sprites }).images),
        ),
      ),
    );
    expect(new Set(all).size).toBe(2400);
  });

  it("draws from its pool", () => {
    const { scenes } = sceneSet({
      ...{ split: "train", count: 200, sprites, identities: knownIdentities, styles: ["noto"] },
      fixed: { count: 1, extra: "none" },
    } as SceneSetOptions);
    expect(scenes.every(({ identity }) => knownIdentities.includes(identity))).toBe(true);
    expect(
      scenes.every(({ style, count, extra }) => style === "noto" && count === 1 && extra === "none"),
    ).toBe(true);
    expect(new Set(scenes.map(({ position }) => position)).size).toBe(4);
  });

  it.each([
    [{ split: "dev" }, 'sceneSet: split must be one of train, validation, test, got "dev"'],
    [{ count: -1 }, "sceneSet: count must be an integer, at least 0, got -1"],
    [{ seed: 0.5 }, "sceneSet: seed must be an integer, at least 0, got 0.5"],
    [{ colour: 1 }, 'sceneSet: unknown option "colour"'],
    [{ styles: ["apple"] }, 'sceneSet: styles must be one of noto, fluent, twemoji, got "apple"'],
    [{ identities: [] }, "sceneSet: identities must be a list of at least one name"],
    [{ fixed: { count: 7 } }, "sceneSet: fixed: count must be one of 1, 2, 3, got 7"],
    [{ fixed: { hue: 7 } }, "sceneSet: fixed must be one of facing, rotation, count"],
  ])("refuses %j", (wrong, message) => {
    const options = { split: "train", count: 1, sprites, ...wrong } as unknown as SceneSetOptions;
    expect(() => sceneSet(options)).toThrow(message);
  });
});

describe("scenePairs", () => {
  it("differs in exactly one factor, and twins only in style, in half of the pairs", () => {
    const { pairs, images } = scenePairs({ split: "test", perFactor: 40, sprites, seed: 2 });
    expect(pairs.length).toBe(320);
    expect(pairs.map(({ factor }) => factor)).toEqual(factorNames.flatMap((name) => Array(40).fill(name)));
    for (const { factor, values, sameStyle, scenes } of pairs) {
      const [a, b, twinA, twinB] = scenes;
      expect([a[factor], b[factor]]).toEqual(values);
      expect(values[0]).not.toBe(values[1]);
      expect({ ...a, [factor]: values[1] }).toEqual(b);
      expect({ ...twinA, [factor]: values[1] }).toEqual(twinB);
      expect({ ...twinA, style: a.style }).toEqual(a);
      expect(twinA.style === a.style).toBe(sameStyle);
    }
    for (const name of factorNames) {
      expect(pairs.filter(({ factor, sameStyle }) => factor === name && sameStyle).length).toBe(20);
    }
    // Twins are rendered anew: no image of a pair is another's copy.
    expect(new Set(hashes(images)).size).toBe(320 * 4);
  });

  it("shows all styles and values, and the same pairs when there are more", () => {
    const few = scenePairs({ split: "validation", perFactor: 20, sprites, factors: ["position"] });
    const more = scenePairs({ split: "validation", perFactor: 120, sprites, factors: ["position"] });
    expect(more.pairs.slice(0, 10)).toEqual(few.pairs.slice(0, 10));
    expect(more.pairs.slice(60, 70)).toEqual(few.pairs.slice(10));
    expect(new Set(more.pairs.map(({ scenes }) => scenes[2].style))).toEqual(new Set(styles));
    expect(new Set(more.pairs.map(({ values }) => values.join())).size).toBe(12);
  });

  it.each([
    [{ perFactor: 3 }, "scenePairs: perFactor must be even, got 3"],
    [{ factors: ["hue"] }, "scenePairs: factors must be one of facing, rotation"],
    [{ styles: ["noto"] }, "scenePairs: styles must have at least 2"],
    [{ fixed: {} }, 'scenePairs: unknown option "fixed"'],
  ])("refuses %j", (wrong, message) => {
    const options = { split: "train", perFactor: 2, sprites, ...wrong } as unknown as ScenePairsOptions;
    expect(() => scenePairs(options)).toThrow(message);
  });
});
