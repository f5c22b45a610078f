import { Random } from "@dcr-js/tensor";
import { checkChoice, checkNumber, checkOptions } from "../shared/check-options.js";
import { type Factor, type FactorValue, factorNames, factors, identities, styles } from "./factors.js";
import { renderScene } from "./render.js";
import { checkScene, type Scene, type ScenePool, sampleScene } from "./scene.js";
import type { Sprites } from "./sprites.js";

/** Each split draws from streams of its own: no two splits have a scene's jitter in common, whatever the seeds. */
export const splits = ["train", "validation", "test"] as const;
export type Split = (typeof splits)[number];

export interface SceneSetOptions extends ScenePool {
  split: Split;
  /** Scenes. */
  count: number;
  sprites: Sprites;
  /** An integer in [0, 2^53). Default 0. */
  seed?: number;
  /** Width and height in pixels. Default 32. */
  size?: number;
  /** Tells sets of one split and seed apart. Default "scenes". */
  name?: string;
}

/** Scenes and their pixels. */
export interface SceneSet {
  /** Width and height of the images, in pixels. */
  size: number;
  scenes: Scene[];
  /** `[count, size, size, 3]` bytes. */
  images: Uint8Array;
}

/**
 * Scenes drawn from a pool. The i-th is a function of split, name, seed, pool and i only: a longer set begins with the shorter one, and
 * another size shows the same scenes.
 */
export function sceneSet(options: SceneSetOptions): SceneSet {
  const {
    split,
    count,
    sprites,
    seed = 0,
    size = 32,
    name = "scenes",
    ...pool
  } = checkOptions("sceneSet", options, {
    split: true,
    count: true,
    sprites: true,
    seed: true,
    size: true,
    name: true,
    identities: true,
    styles: true,
    fixed: true,
  });
  checkNumber("sceneSet: count", count, { min: 0, integer: true });
  checkPool("sceneSet", pool);
  const random = splitRandom("sceneSet", split, seed).fork(name);
  const bytes = size * size * 3;
  const images = new Uint8Array(count * bytes);
  const scenes = Array.from({ length: count }, (_, i) => {
    const own = random.fork(i);
    const scene = sampleScene(own.fork("scene"), pool);
    images.set(renderScene(scene, { size, sprites, random: own.fork("jitter") }), i * bytes);
    return scene;
  });
  return { size, scenes, images };
}

/** Two scenes that differ in one factor, and both once more with other jitter. */
export interface ScenePair {
  factor: Factor;
  /** The factor's value in the first and in the second scene. */
  values: [FactorValue, FactorValue];
  /** True if all four images have one style; else the twins have another style than the scenes. */
  sameStyle: boolean;
  /** The first scene, the second, the first's twin, the second's twin. */
  scenes: [Scene, Scene, Scene, Scene];
}

export interface ScenePairsOptions extends Omit<ScenePool, "fixed"> {
  split: Split;
  /** Pairs of each factor, an even number: half have one style, half two. */
  perFactor: number;
  sprites: Sprites;
  /** An integer in [0, 2^53). Default 0. */
  seed?: number;
  /** Width and height in pixels. Default 32. */
  size?: number;
  /** Default all eight. */
  factors?: readonly Factor[];
}

/** Pairs and their pixels. */
export interface ScenePairs {
  /** Width and height of the images, in pixels. */
  size: number;
  pairs: ScenePair[];
  /** `[pairs, 4, size, size, 3]` bytes, in the order of `ScenePair.scenes`. */
  images: Uint8Array;
}

/**
 * Pairs of scenes that differ in exactly one factor, `perFactor` of each factor in the order of the factors. A pair is a function of
 * split, seed, pool, factor, kind of style and number only.
 */
export function scenePairs(options: ScenePairsOptions): ScenePairs {
  const {
    split,
    perFactor,
    sprites,
    seed = 0,
    size = 32,
    factors: chosen = factorNames,
    ...pool
  } = checkOptions("scenePairs", options, {
    split: true,
    perFactor: true,
    sprites: true,
    seed: true,
    size: true,
    factors: true,
    identities: true,
    styles: true,
  });
  checkNumber("scenePairs: perFactor", perFactor, { min: 0, integer: true });
  if (perFactor % 2 !== 0) throw new RangeError(`scenePairs: perFactor must be even, got ${perFactor}`);
  checkPool("scenePairs", pool);
  for (const factor of chosen) checkChoice("scenePairs: factors", factor, factorNames);
  if ((pool.styles ?? styles).length < 2 && perFactor > 0) {
    throw new RangeError("scenePairs: styles must have at least 2, as half of the pairs show two styles");
  }
  const random = splitRandom("scenePairs", split, seed).fork("pairs");
  const bytes = size * size * 3;
  const images = new Uint8Array(chosen.length * perFactor * 4 * bytes);
  const pairs: ScenePair[] = [];
  for (const factor of chosen) {
    for (let i = 0; i < perFactor; i++) {
      const sameStyle = i < perFactor / 2;
      const kind = sameStyle ? "same" : "cross";
      const own = random
        .fork(factor)
        .fork(kind)
        .fork(sameStyle ? i : i - perFactor / 2);
      const pair = samplePair(own.fork("scene"), factor, sameStyle, pool);
      for (const [j, scene] of pair.scenes.entries()) {
        const image = renderScene(scene, { size, sprites, random: own.fork("jitter").fork(j) });
        images.set(image, (pairs.length * 4 + j) * bytes);
      }
      pairs.push(pair);
    }
  }
  return { size, pairs, images };
}

function samplePair(random: Random, factor: Factor, sameStyle: boolean, pool: ScenePool): ScenePair {
  const first = sampleScene(random, pool);
  const pick = <T>(values: readonly T[]): T => values[random.integerArray(1, 0, values.length)[0]];
  const other = pick((factors[factor] as readonly FactorValue[]).filter((value) => value !== first[factor]));
  const second = { ...first, [factor]: other } as Scene;
  const style = sameStyle
    ? first.style
    : pick((pool.styles ?? styles).filter((name) => name !== first.style));
  return {
    factor,
    values: [first[factor], other],
    sameStyle,
    scenes: [first, second, { ...first, style }, { ...second, style }],
  };
}

function splitRandom(caller: string, split: Split, seed: number): Random {
  checkChoice(`${caller}: split`, split, splits);
  checkNumber(`${caller}: seed`, seed, { min: 0, integer: true });
  return new Random(seed).fork(split);
}

function checkPool(caller: string, pool: ScenePool): void {
  for (const [name, values, known] of [
    ["identities", pool.identities, identities],
    ["styles", pool.styles, styles],
  ] as const) {
    if (values === undefined) continue;
    if (!Array.isArray(values) || values.length === 0) {
      throw new RangeError(`${caller}: ${name} must be a list of at least one name`);
    }
    for (const value of values) checkChoice(`${caller}: ${name}`, value, known as readonly string[]);
  }
  for (const factor of Object.keys(pool.fixed ?? {})) checkChoice(`${caller}: fixed`, factor, factorNames);
  if (pool.fixed) {
    const { fixed } = pool;
    const filled = sampleScene(new Random(0), { fixed });
    checkScene(`${caller}: fixed`, filled);
  }
}
