import type { Random } from "@dcr-js/tensor";
import { checkChoice } from "../shared/check-options.js";
import {
  type Factor,
  type FactorValue,
  factorNames,
  factors,
  type Identity,
  identities,
  type Style,
  styles,
} from "./factors.js";
import { fractions } from "./fractions.js";

/** The values of all eight factors. */
export type FactorValues = { [F in Factor]: FactorValue<F> };

/** One scene, but for the jitter that it is rendered with. */
export interface Scene extends FactorValues {
  identity: Identity;
  style: Style;
}

/** The identities and styles that scenes are drawn from. */
export interface ScenePool {
  /** Default all 48. */
  identities?: readonly Identity[];
  /** Default all 3. */
  styles?: readonly Style[];
  /** Factors that are not drawn, but have one value. Default none. */
  fixed?: Partial<FactorValues>;
}

/** Identity, style and each factor, independently and uniformly; always by the same number of draws. */
export function sampleScene(random: Random, pool: ScenePool = {}): Scene {
  const draws = fractions(random, 2 + factorNames.length);
  const pick = <T>(values: readonly T[], draw: number): T => values[Math.floor(draw * values.length)];
  const scene: Record<string, unknown> = {
    identity: pick(pool.identities ?? identities, draws[0]),
    style: pick(pool.styles ?? styles, draws[1]),
  };
  for (const [i, factor] of factorNames.entries()) {
    scene[factor] = pool.fixed?.[factor] ?? pick<FactorValue>(factors[factor], draws[2 + i]);
  }
  return scene as unknown as Scene;
}

/**
 * Checks a scene that comes from outside.
 *
 * @throws on a value that is none of its factor's, with both named
 */
export function checkScene(caller: string, scene: Scene): Scene {
  checkChoice(`${caller}: identity`, scene.identity, identities);
  checkChoice(`${caller}: style`, scene.style, styles);
  for (const factor of factorNames) {
    const values = factors[factor] as readonly FactorValue[];
    if (!values.includes(scene[factor])) {
      throw new RangeError(
        `${caller}: ${factor} must be one of ${values.join(", ")}, got ${JSON.stringify(scene[factor])}`,
      );
    }
  }
  return scene;
}
