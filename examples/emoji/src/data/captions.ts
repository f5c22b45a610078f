import type { Random } from "@dcr-js/tensor";
import type { EmojiStyle } from "./emoji-list.js";

/** What captions are made of; see `EmojiCode`. */
export interface CaptionParts {
  style: EmojiStyle;
  name: string;
  otherNames: readonly string[];
  tags: readonly string[];
  category: string;
  subcategory: string;
}

/** How captions call the two drawings. */
export const styleWords: Record<EmojiStyle, string> = { google: "noto", twitter: "twemoji" };

/** The caption that figures are computed with: style-free and the same in both drawings. */
export function plainCaption({ name }: Pick<CaptionParts, "name">): string {
  return `an emoji of ${name}`;
}

/** Like {@link plainCaption} and naming the drawing: what the denoiser needs to know to paint it. */
export function styledCaption({ name, style }: Pick<CaptionParts, "name" | "style">): string {
  return `a ${styleWords[style]} emoji of ${name}`;
}

/**
 * A training caption: a template filled with a name, sometimes tags, category and style, all drawn at random.
 *
 * @param parts what is known of the image
 * @param random advanced by a count that depends on what is drawn
 */
export function sampleCaption(parts: CaptionParts, random: Random): string {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random.number() * items.length)];
  const tag = () => (parts.tags.length > 0 ? pick(parts.tags) : parts.name);
  // Half of the captions carry the main name, so that names are learnt before their paraphrases.
  const name = random.number() < 0.6 ? parts.name : pick([...parts.otherNames, parts.name]);
  const word = styleWords[parts.style];
  switch (Math.floor(random.number() * 9)) {
    case 0:
      return name;
    case 1:
      return `an emoji of ${name}`;
    case 2:
      return `a ${word} emoji of ${name}`;
    case 3:
      return `${word} style ${name}`;
    case 4:
      return `a picture of ${name} with ${tag()}`;
    case 5:
      return `${name} ${tag()} ${tag()}`;
    case 6:
      return `a ${word} picture of ${parts.subcategory} ${name}`;
    case 7:
      return `an emoji of ${parts.category} ${name} ${tag()}`;
    default:
      return `${parts.subcategory} ${tag()} ${tag()}`;
  }
}

/** Every text that {@link sampleCaption} can draw words from, once: what a tokenizer is trained on. */
export function captionTexts(items: readonly CaptionParts[]): string[] {
  return items.flatMap((item) => [
    plainCaption(item),
    styledCaption(item),
    `${styleWords[item.style]} style picture with`,
    ...item.otherNames,
    ...item.tags,
    item.category,
    item.subcategory,
  ]);
}
