import type { Random } from "@dcr-js/tensor";
import { type Factor, factorNames, factors, identities, identityFacts, styles } from "./factors.js";
import { fractions } from "./fractions.js";
import type { Scene } from "./scene.js";

/** CLIP's captions name an identity and few details, as web captions do. */
const CATEGORY_SHARE = 0.15;
const DETAIL_SHARE = 0.2;
/** The denoiser's captions name almost everything, or nothing. */
const EMPTY_SHARE = 0.15;
const FULL_CATEGORY_SHARE = 0.05;
const MENTIONED_SHARE = 0.9;
const STYLE_SHARE = 0.5;

const numerals = { 1: "one", 2: "two", 3: "three" } as const;

/** The parts of a scene that a caption mentions, beside its identity. */
interface Mentions {
  factors: readonly Factor[];
  style?: boolean;
  /** "animal" in place of "tiger". */
  category?: boolean;
}

/** For example "two small tinted tigers facing left upside down at top on blue with a star by noto". */
function describeScene(
  scene: Scene,
  { factors: mentioned, style = false, category = false }: Mentions,
): string {
  const says = (factor: Factor, text: string) => (mentioned.includes(factor) ? text : "");
  const facts = identityFacts[scene.identity];
  const several = mentioned.includes("count") && scene.count > 1;
  const name = category ? `${facts.category}${several ? "s" : ""}` : several ? facts.plural : scene.identity;
  const words = [
    says("count", numerals[scene.count]),
    says("size", scene.size),
    says("tint", scene.tint),
    name,
    says("facing", `facing ${scene.facing}`),
    says("rotation", scene.rotation),
    says("position", `at ${scene.position}`),
    says("background", `on ${scene.background}`),
    says("extra", scene.extra === "none" ? "alone" : `with a ${scene.extra}`),
    style ? `by ${scene.style}` : "",
  ];
  return words.filter((word) => word !== "").join(" ");
}

/** The name only, such as "tiger": the prompt of zero-shot classification. */
export function nameCaption({ identity }: Pick<Scene, "identity">): string {
  return identity;
}

/** Name (or category) and one detail, such as "tiger facing left": the statements of text-image pairs. */
export function detailCaption(scene: Scene, factor: Factor, { category = false } = {}): string {
  return describeScene(scene, { factors: [factor], category });
}

/** All that can be said of a scene. */
export function completeCaption(scene: Scene): string {
  return describeScene(scene, { factors: factorNames, style: true });
}

/** A caption as CLIP learns from: the name, in 15 % its category, and in 20 % one detail; always by the same number of draws. */
export function clipCaption(scene: Scene, random: Random): string {
  const [category, detail, which] = fractions(random, 3);
  const mentioned = detail < DETAIL_SHARE ? [factorNames[Math.floor(which * factorNames.length)]] : [];
  return describeScene(scene, { factors: mentioned, category: category < CATEGORY_SHARE });
}

/**
 * A caption as the denoiser learns from: empty in 15 %; else each factor with a chance of 0.9, the style with 0.5, and in 5 % the category in
 * place of the name. Always by the same number of draws.
 */
export function fullCaption(scene: Scene, random: Random): string {
  const [empty, category, style, ...draws] = fractions(random, 3 + factorNames.length);
  if (empty < EMPTY_SHARE) return "";
  return describeScene(scene, {
    factors: factorNames.filter((_, i) => draws[i] < MENTIONED_SHARE),
    style: style < STYLE_SHARE,
    category: category < FULL_CATEGORY_SHARE,
  });
}

/** Every word that captions are made of, once, sorted. */
export function captionWords(): string[] {
  const phrases = [
    ...identities.flatMap((name) => [name, identityFacts[name].plural]),
    ...identities.flatMap((name) => [identityFacts[name].category, `${identityFacts[name].category}s`]),
    ...Object.values(factors).flatMap((values) => values.map(String)),
    ...Object.values(numerals),
    ...styles,
    "facing at on with a alone by",
  ];
  const words = phrases
    .flatMap((phrase) => phrase.split(" "))
    .filter((word) => !/^[0-9]+$|^none$/.test(word));
  return [...new Set(words)].sort();
}
