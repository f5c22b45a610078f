import { describe } from "../shared/check-options.js";

// "The answer is a dog" names no option, so a letter before a space must be a capital that is no word.
const statedLetter =
  /\b[Aa]nswer(?:\s+is)?\s*:?\s*(?:[Oo]ption\s+)?\(?(?:([A-Za-z])(?=[).,;:]|\s*$)|([B-HJ-Z])(?=\s))/g;

/**
 * The option that an answer names, such as B in `"B"`, `"(B)"`, `"B. A dog"`, `"The answer is (b)."`; undefined where it names none, or
 * more than one. For ScienceQA, CV-Bench, MMVP and NaturalBench's choices. An answer that cannot be read is never right.
 *
 * @param options letters, such as `["A", "B"]`
 */
export function choiceAnswer(answer: string, options: readonly string[]): string | undefined {
  checkAnswer("choiceAnswer", answer);
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

/** POPE's rule (Li et al. 2023, its evaluation script): no where the first sentence has the word "no" or "not", else yes. */
export function yesNoAnswer(answer: string): "yes" | "no" {
  checkAnswer("yesNoAnswer", answer);
  const [sentence] = answer.split(".");
  const words = sentence.replaceAll(",", "").split(/\s+/);
  return words.some((word) => word === "No" || word === "no" || word === "not") ? "no" : "yes";
}

function checkAnswer(caller: string, answer: unknown): void {
  if (typeof answer !== "string")
    throw new TypeError(`${caller}: answer must be a text, got ${describe(answer)}`);
}
