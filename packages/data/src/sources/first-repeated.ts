/** The first text that was there before; undefined where each is there once. In linear time: data sets have 100,000 shards. */
export function firstRepeated(texts: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return texts.find((text) => seen.size === seen.add(text).size);
}
