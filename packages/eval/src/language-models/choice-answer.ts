import { describe } from "../shared/check-options.js";

// "The answer is a dog" names no option, so a letter before a space must be a capital that is no word.
const statedLetter =
  /\b(?:(?:[Aa]nswer|ANSWER)(?:\s+is)?\s*:?|(?:[Oo]ption|[Cc]hoice)(?:\s+is\s*:?|\s*:))\s*(?:[Oo]ption\s+)?\(?(?:([A-Za-z])(?=[).,;:]|\s*$)|([B-HJ-Z])(?=\s))/g;

/** A letter that has a line for itself. */
const letterAlone = /^(?:[Oo]ption\s+)?\(?([A-Za-z])\)?[.):,]?$/;

/** The letter with a mark that an answer begins with. */
const firstLetter = /^\(?([A-Za-z])[.):](?=\s)/;

/** Letters in parentheses, and capitals with the mark of a list. An initial such as the B of "U.B. Smith" is none. */
const markedLetter = /\(([A-Za-z])\)|(?<![\w.(])([A-Z])[.):](?=\s|$)/g;

/** Two letters that one sentence joins, such as "(A) or (B)", "A, B". */
const joinedLetters =
  /(?<![\w.])\(?([A-Za-z])[).,:]*\s*(?:\bor\b|\band\b|[,/&])\s*(?:[Oo]ption\s+)?(?=\(([A-Za-z])\)|([A-Z])(?=[).,;:/&]|\s*$|\s+(?:or|and)\b)|([B-HJ-Z])(?=\s))/g;

/** Markdown's emphasis, the tags and the box that models put around an answer, and the thoughts before it, without which a letter can be seen. */
function plain(answer: string): string {
  return answer
    .replace(/^[\s\S]*<\/think>/, "")
    .replace(/<answer>|\\boxed\s*\{(?:\\text\w*\s*\{)?/gi, "\nAnswer: ")
    .replace(/<\/?\w+>|[{}]/g, "\n")
    .replace(/\[(\w)\]/g, "($1)")
    .replace(/[*`$]|(?<!\w)_+|_+(?!\w)/g, "");
}

/**
 * Reads the option that an answer names, such as B in `"B"`, `"(B)"`, `"**B**"`, `"B. A dog"`, `"The answer is (b)."`. The answer names none where it
 * has no letter, or more than one, as `"(A) or (B)"` and `"A. A cat B. A dog"`.
 *
 * A letter that has a line for itself, and one that a sentence such as "The answer is B" states, count before other letters: an explanation may
 * name the options that are wrong.
 *
 * This is for questions of one's own; the benchmarks' published scripts read answers by rules of their own (`mmvpAnswer` and so on).
 *
 * @param options letters, such as `["A", "B"]`
 * @returns the letter as in `options`, or undefined, so that an answer that cannot be read is never right
 */
export function choiceAnswer(answer: string, options: readonly string[]): string | undefined {
  if (typeof answer !== "string")
    throw new TypeError(`choiceAnswer: answer must be a text, got ${describe(answer)}`);
  if (
    !Array.isArray(options) ||
    options.length === 0 ||
    !options.every((option) => /^[A-Za-z]$/.test(option))
  ) {
    throw new TypeError(`choiceAnswer: options must be letters, got ${describe(options)}`);
  }
  const find = (letter: string) => options.find((option) => option.toUpperCase() === letter.toUpperCase());
  const lines = plain(answer)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const text = lines.join("\n");
  const lettersOf = (pattern: RegExp) =>
    Array.from(text.matchAll(pattern), (match) => match.slice(1).filter((letter) => letter !== undefined));
  const alone = lines.flatMap((line) => letterAlone.exec(line)?.[1] ?? []);
  const ownLine = letterAlone.exec(lines[0] ?? "");
  const first = ownLine ? undefined : firstLetter.exec(text);
  const leading = (ownLine ?? first)?.[1];
  if (leading !== undefined && !find(leading)) return undefined;
  const stated = [...alone, ...lettersOf(statedLetter)];
  const found = stated.length > 0 && !first ? stated : [...stated, ...lettersOf(markedLetter)];
  const letters = new Set([first?.[1] ?? [], found].flat(2).map((letter) => letter.toUpperCase()));
  const pairs = lettersOf(joinedLetters).map((pair) => pair.map((letter) => letter.toUpperCase()));
  // Forwards and backwards, as "A, B or (C)" names three.
  for (const pair of [...pairs, ...pairs.toReversed()]) {
    if (pair.some((letter) => letters.has(letter))) for (const letter of pair) letters.add(letter);
  }
  const named = [...letters].map(find).filter((letter) => letter !== undefined);
  return named.length === 1 ? named[0] : undefined;
}
