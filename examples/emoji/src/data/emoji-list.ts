import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);

/** The two drawings of every emoji: Google's Noto and Twitter's Twemoji. */
export const emojiStyles = ["google", "twitter"] as const;
export type EmojiStyle = (typeof emojiStyles)[number];

/** One code: an emoji, or one of its skin-tone variants. */
export interface EmojiCode {
  /** Unicode code points in hexadecimal, joined by "-". */
  code: string;
  /** The emoji that this is a skin-tone variant of, or its own code. */
  baseCode: string;
  /** File name of its image, in every style's folder. */
  file: string;
  /** Styles that have an image of it. */
  styles: EmojiStyle[];
  /** What to call it, in lower case: emojibase's label, with the skin tone where there is one. */
  name: string;
  /** Further names in words: Unicode's own and the short names. */
  otherNames: string[];
  /** Emojibase's English tags. */
  tags: string[];
  category: string;
  subcategory: string;
}

interface DatasourceEntry {
  name: string;
  unified: string;
  image: string;
  short_names: string[];
  category: string;
  subcategory: string;
  has_img_google: boolean;
  has_img_twitter: boolean;
  skin_variations?: Record<
    string,
    { unified: string; image: string; has_img_google: boolean; has_img_twitter: boolean }
  >;
}

interface EmojibaseEntry {
  hexcode: string;
  label: string;
  tags?: string[];
  skins?: EmojibaseEntry[];
}

/** Folder of an installed npm package. */
export function packageFolder(name: string): string {
  return dirname(require.resolve(`${name}/package.json`));
}

/** Version of an installed npm package. */
export function packageVersion(name: string): string {
  return (readJson(join(packageFolder(name), "package.json")) as { version: string }).version;
}

/** Every code of emoji-datasource with what the two packages say of it, in the package's order. */
export function readEmojiList(): EmojiCode[] {
  const entries = readJson(join(packageFolder("emoji-datasource-google"), "emoji.json")) as DatasourceEntry[];
  const labels = new Map<string, EmojibaseEntry>();
  for (const entry of readJson(join(packageFolder("emojibase-data"), "en/data.json")) as EmojibaseEntry[]) {
    for (const item of [entry, ...(entry.skins ?? [])]) labels.set(withoutSelector(item.hexcode), item);
  }
  return entries.flatMap((entry) => {
    const base = labels.get(withoutSelector(entry.unified));
    const otherNames = [entry.name, ...entry.short_names].map(toWords);
    return [entry, ...Object.values(entry.skin_variations ?? {})].map(
      (item): EmojiCode => ({
        code: item.unified,
        baseCode: entry.unified,
        file: item.image,
        styles: emojiStyles.filter((style) => item[`has_img_${style}`]),
        name: toWords(
          labels.get(withoutSelector(item.unified))?.label ?? base?.label ?? entry.short_names[0],
        ),
        otherNames: [...new Set(otherNames)],
        tags: (base?.tags ?? []).map(toWords),
        category: toWords(entry.category),
        subcategory: toWords(entry.subcategory),
      }),
    );
  });
}

/** Emojibase writes codes without the variation selector that asks for the coloured form. */
function withoutSelector(code: string): string {
  return code.replaceAll("-FE0F", "");
}

function toWords(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[_\-/:,]+/g, " ")
    .replaceAll(/\s+/g, " ")
    .trim();
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new Error(`readEmojiList: cannot read ${path}: ${(error as Error).message}`);
  }
}
