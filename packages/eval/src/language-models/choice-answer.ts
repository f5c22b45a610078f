import { describe } from "../shared/check-options.js";

// "The answer is a dog" names no option, so a letter before a space must be a capital that is no word.
const statedLetter =
  /\b[Aa]nswer(?:\s+is)?\s*:?\s*(?:[Oo]ption\s+)?\(?(?:([A-Za-z])(?=[).,;:]|\s*$)|([B-HJ-Z])(?=\s))/g;

/**
 * The option that an answer names, such as B in `"B"`, `"(B)"`, `"B. A dog"`, `"The answer is (b)."`; undefined where it names none, or
 * more than one, so that an answer that cannot be read is never right. For questions of one's own; the benchmarks' published scripts read answers
 * by rules of their own (`mmvpAnswer` and so on).
 *
 * @param options letters, such as `["A", "B"]`
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
  const text = answer.trim();
  const whole = /^\(?([A-Za-z])\)?[.):,]?$/.exec(text) ?? /^\(?([A-Za-z])[.):](?=\s|$)/.exec(text);
  if (whole) return find(whole[1]);
  const stated = [...text.matchAll(statedLetter)];
  const named = stated.length > 0 ? stated : [...text.matchAll(/\(([A-Za-z])\)/g)];
  const letters = new Set(
    named.map(([, letter, capital]) => find(letter ?? capital)).filter((letter) => letter !== undefined),
  );
  return letters.size === 1 ? [...letters][0] : undefined;
}
