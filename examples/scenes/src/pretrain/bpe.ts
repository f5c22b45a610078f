/** OpenAI CLIP's byte-to-character table: printable bytes stand for themselves, the rest from U+0100 on. */
function byteCharacters(): string[] {
  const printable = (byte: number) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
}

/** OpenAI CLIP's split into words; contractions, letters, single digits, and runs of anything else. */
const wordPattern = /'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+/gu;

export interface Vocabulary {
  /** Token to id, in the order of OpenAI's file: bytes, bytes with `</w>`, merges, the two special tokens. */
  vocab: Record<string, number>;
  /** Pairs by rank, each `"left right"`. */
  merges: string[];
}

/**
 * Byte-pair encoding (Sennrich et al. 2016) over a corpus, in CLIP's form: lower case, words end in `</w>`.
 * Ties go to the pair that sorts first, so that the result is a function of the corpus only.
 */
export function trainBpe(corpus: readonly string[], mergeCount: number): Vocabulary {
  const characters = byteCharacters();
  const counts = new Map<string, number>();
  for (const text of corpus) {
    for (const [word] of text.toLowerCase().matchAll(wordPattern))
      counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const words = Array.from(counts, ([word, count]) => {
    const symbols = Array.from(new TextEncoder().encode(word), (byte) => characters[byte]);
    symbols[symbols.length - 1] += "</w>";
    return { symbols, count };
  });
  const merges: string[] = [];
  while (merges.length < mergeCount) {
    const pairs = new Map<string, number>();
    for (const { symbols, count } of words) {
      for (let i = 0; i + 1 < symbols.length; i++) {
        const pair = `${symbols[i]} ${symbols[i + 1]}`;
        pairs.set(pair, (pairs.get(pair) ?? 0) + count);
      }
    }
    let best: string | undefined;
    for (const [pair, count] of pairs) {
      const highest = best === undefined ? 0 : pairs.get(best)!;
      if (count > highest || (count === highest && pair < best!)) best = pair;
    }
    if (best === undefined || pairs.get(best)! < 2) break;
    merges.push(best);
    const [left, right] = best.split(" ");
    for (const word of words) {
      const { symbols } = word;
      for (let i = 0; i + 1 < symbols.length; i++) {
        if (symbols[i] === left && symbols[i + 1] === right) symbols.splice(i, 2, left + right);
      }
    }
  }
  // CLIP's file lists the printable bytes before the others.
  const sorted = [...characters].sort(
    (a, b) => Number(a >= "\u0100") - Number(b >= "\u0100") || (a < b ? -1 : 1),
  );
  const tokens = [
    ...sorted,
    ...sorted.map((character) => `${character}</w>`),
    ...merges.map((pair) => pair.replace(" ", "")),
    "<|startoftext|>",
    "<|endoftext|>",
  ];
  return { vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges };
}
