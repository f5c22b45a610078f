import { describe } from "../shared/check-options.js";

/** A letter of an answer that may stand for an option. */
interface Mention {
  letter: string;
  /** Its place among the words. */
  at: number;
  /** It stands in parentheses, has the mark of a list, or ends its line. */
  isMarked: boolean;
  /** A line for itself or a sentence such as "The answer is B" or "B is correct" states it. */
  isStated: boolean;
}

/**
 * Reads the option that an answer names, such as B in `"B"`, `"(B)"`, `"**B**"`, `"B. A dog"`, `"The answer is (b)."`. The answer names none where it
 * has no letter, or more than one, as `"(A) or (B)"` and `"A. A cat B. A dog"`.
 *
 * A letter that has a line for itself, and one that a sentence such as "The answer is B" states, count before other letters: an explanation may
 * name the options that are wrong. A letter that is denied, as in "not A" and "(A) is wrong", does not count.
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
  const find = (letter: string) => options.find((option) => option.toUpperCase() === letter);
  const words = wordsOf(answer);
  const mentions = mentionsIn(words);
  const lead = leadOf(words, mentions);
  if (lead && !find(lead.letter)) return undefined;
  const stated = mentions.filter(({ isStated }) => isStated);
  // An answer that begins with an option, as "(A) A cat", must not state another.
  const named =
    stated.length > 0
      ? [...stated, ...(lead ? [lead] : [])]
      : mentions.filter((mention) => mention === lead || mention.isMarked);
  const letters = new Set(withJoined(words, mentions, named).map(({ letter }) => find(letter)));
  letters.delete(undefined);
  return letters.size === 1 ? [...letters][0] : undefined;
}

/** The words and marks of an answer, each by itself, and a line's end after each line. Initials such as "U.B" and "B-roll" are one word. */
function wordsOf(answer: string): string[] {
  const word = /[\p{Script=Latin}\p{N}_]+(?:['’.-][\p{Script=Latin}\p{N}_]+)*|\S/gu;
  const lines = plain(answer)
    .split("\n")
    .map((line) => line.replace(/^\s*(?:[->•]\s+|assistant\s*:)*/i, "").trim());
  return lines.filter((line) => line !== "").flatMap((line) => [...(line.match(word) ?? []), "\n"]);
}

/** An answer without thoughts, Markdown's emphasis, quotes, and the tags and boxes that models put around a letter. */
function plain(answer: string): string {
  return answer
    .normalize("NFKC")
    .replace(/^[\s\S]*<\/think>/, "")
    .replace(/<answer>|\\boxed\s*\{(?:\\text\w*\s*\{)?/gi, "\nAnswer: ")
    .replace(/<\|[^|\n]*\|>|<\/?\w+>|[{}]/g, "\n")
    .replace(/\[(\w)\]/g, "($1)")
    .replace(/[*`$"“”«»#]|(?<![\p{L}\p{N}])['‘’_]+|['‘’_]+(?![\p{L}\p{N}])/gu, "")
    .replace(/。/g, ".")
    .replace(/[–—]/g, "-");
}

/** What may stand between "answer" and the letter, as in "the answer should therefore be option (B)". */
const fillers = new Set(
  "( : - = is would should must will be therefore thus then clearly most likely option choice letter".split(
    " ",
  ),
);

/** A letter before one of these is not the word "A" or "I". */
const closers = new Set([".", ")", ",", ";", ":", "/", "&", "-", "\n", "or", "and"]);

/** What follows the letter in "B is correct" and "B is the best answer". */
const isCalledRight =
  /^(?:\) )?is (?:correct\b|right (?:[.,;\n]|$)|the (?:\w+ )?(?:correct|right|best|only|likely)\b|the answer\b)/;

/** What follows the letter in "(A) is wrong". */
const isCalledWrong = /^(?:\) )?(?:is|are) (?:not|wrong|incorrect|false)\b|^(?:\) )?(?:isn't|cannot|can't)\b/;

/** The letters of an answer, but those that are a word, as in "A dog", and those that are denied. */
function mentionsIn(words: readonly string[]): Mention[] {
  return words.flatMap((word, at) => {
    if (!/^[A-Za-z]$/.test(word)) return [];
    const next = words[at + 1];
    const inParentheses = words[at - 1] === "(" && next === ")";
    const isCapital = word < "a";
    const after = words
      .slice(at + 1, at + 8)
      .join(" ")
      .toLowerCase();
    const isRight = isCalledRight.test(after);
    const isLetter = inParentheses || isRight || closers.has(next) || (isCapital && !/[AI]/.test(word));
    if (!isLetter || isCalledWrong.test(after) || isDenied(words, at)) return [];
    const isMarked = inParentheses || (isCapital && [".", ")", ":", "\n"].includes(next));
    const isStated = isRight || isAlone(words, at) || isAnswer(words, at);
    return [{ letter: word.toUpperCase(), at, isMarked, isStated }];
  });
}

/** The place of the first word from `at` on, in steps of `by`, that is none of `over`. */
function skip(
  words: readonly string[],
  at: number,
  { by, over }: { by: 1 | -1; over: ReadonlySet<string> },
): number {
  let i = at + by;
  while (i >= 0 && i < words.length && over.has(words[i].toLowerCase())) i += by;
  return i;
}

const before = new Set(["(", "option", "choice"]);
const behind = new Set([")", ".", ":", ","]);

/** Whether a letter has a line for itself. */
function isAlone(words: readonly string[], at: number): boolean {
  const first = words[skip(words, at, { by: -1, over: before })];
  return (first ?? "\n") === "\n" && words[skip(words, at, { by: 1, over: behind })] === "\n";
}

/** Whether "answer", or "the option is", leads to the letter. */
function isAnswer(words: readonly string[], at: number): boolean {
  const start = skip(words, at, { by: -1, over: fillers });
  if (words[start]?.toLowerCase() === "answer") return true;
  const between = words.slice(start + 1, at).map((word) => word.toLowerCase());
  const option = between.findIndex((word) => word === "option" || word === "choice");
  return option >= 0 && between.slice(option).some((word) => word === "is" || word === ":");
}

/** Whether the letter is denied, as in "not (A)" and "neither A". */
function isDenied(words: readonly string[], at: number): boolean {
  const word = words[skip(words, at, { by: -1, over: before })]?.toLowerCase();
  return ["not", "nor", "neither", "isn't", "than"].includes(word ?? "");
}

/** The letter that an answer begins with, alone or as in "(B) A dog", "B: a dog" and "B - a dog". */
function leadOf(words: readonly string[], mentions: readonly Mention[]): Mention | undefined {
  const first = mentions.find(({ at }) => at === (words[0] === "(" ? 1 : 0));
  if (first && [".", ")", ":", "-"].includes(words[first.at + 1])) return first;
  const lineEnd = words.indexOf("\n");
  return mentions.find(({ at }) => at < lineEnd && isAlone(words, at));
}

/** Mentions, and those that a sentence joins to them, as in "(A) or (B)" and "A, B". */
function withJoined(
  words: readonly string[],
  mentions: readonly Mention[],
  named: readonly Mention[],
): Mention[] {
  const joiners = new Set(["or", "and", ",", "/", "&"]);
  const isJoined = (i: number) => {
    const between = words.slice(mentions[i].at + 1, mentions[i + 1].at).map((word) => word.toLowerCase());
    return (
      between.some((word) => joiners.has(word)) &&
      between.every((word) => joiners.has(word) || before.has(word) || behind.has(word))
    );
  };
  const all = new Set(named);
  for (const i of mentions.keys())
    if (i > 0 && all.has(mentions[i - 1]) && isJoined(i - 1)) all.add(mentions[i]);
  for (const i of [...mentions.keys()].reverse())
    if (i + 1 < mentions.length && all.has(mentions[i + 1]) && isJoined(i)) all.add(mentions[i]);
  return [...all];
}
