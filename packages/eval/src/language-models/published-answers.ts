import { checkChoice, checkNumber, describe } from "../shared/check-options.js";

/**
 * MMVP's option that an answer names, as Cambrian's script reads it: only the letter, or the option's text, after "answer is" or "answer:"
 * where it has one. (MMVP's own script asks GPT-4 in its place.)
 *
 * @param options the options' texts, of A first
 * @returns the letter, undefined where the script takes no option for right
 */
export function mmvpAnswer(answer: string, options: readonly string[]): string | undefined {
  checkAnswer("mmvpAnswer", answer);
  if (!Array.isArray(options) || options.length < 2 || options.some((option) => typeof option !== "string")) {
    throw new TypeError(`mmvpAnswer: options must be a list of texts, got ${describe(options)}`);
  }
  const text = afterKeyword(answer);
  const place = options.findIndex(
    (option, i) => text === letterOf(i).toLowerCase() || text === option.toLowerCase(),
  );
  return place < 0 ? undefined : letterOf(place);
}

/**
 * CV-Bench's option that an answer names, as its script reads it: the first character of the answer, or of what follows "answer is" or "answer:".
 *
 * @returns a letter A to F, undefined where that character is none; mind that "A dog" names A
 */
export function cvBenchAnswer(answer: string): string | undefined {
  checkAnswer("cvBenchAnswer", answer);
  const first = afterKeyword(answer).charAt(0).toUpperCase();
  return /^[A-F]$/.test(first) ? first : undefined;
}

/** Cambrian's `extract_mcq_answer`. */
function afterKeyword(answer: string): string {
  let text = answer.toLowerCase().trim();
  for (const keyword of ["answer is", "answer is:", "answer:"]) text = text.split(keyword).at(-1)!;
  return text
    .trim()
    .replace(/[.:,]+$/, "")
    .replace(/^\(+/, "")
    .replace(/\)+$/, "");
}

/**
 * NaturalBench's answer, as its script reads it: of the words "yes" and "no", or "A" and "B", the one that comes first, in whatever case.
 *
 * @param type as the data set's `Question_Type`
 * @returns undefined where there is neither; mind that "a dog" names A
 */
export function naturalBenchAnswer(
  answer: string,
  type: "yes_no" | "multiple_choice",
): "Yes" | "No" | "A" | "B" | undefined {
  checkAnswer("naturalBenchAnswer", answer);
  checkChoice("naturalBenchAnswer: type", type, ["yes_no", "multiple_choice"]);
  const words = type === "yes_no" ? (["Yes", "No"] as const) : (["A", "B"] as const);
  // Letters with accents are part of a word, as for Python's regular expressions.
  const found = new RegExp(`(?<![\\p{L}\\p{N}_])(?:${words.join("|")})(?![\\p{L}\\p{N}_])`, "iu").exec(
    answer,
  );
  return words.find((word) => word.toLowerCase() === found?.[0].toLowerCase());
}

/** POPE's answer, as its script reads it: "no" where the first sentence has a word "No", "no" or "not", else "yes". */
export function popeAnswer(answer: string): "yes" | "no" {
  checkAnswer("popeAnswer", answer);
  const words = answer.split(".")[0].replaceAll(",", "").split(" ");
  return words.some((word) => word === "No" || word === "no" || word === "not") ? "no" : "yes";
}

/**
 * ScienceQA's option that an answer names, as LLaVA's script reads it: only a letter, a letter with ". " at the beginning, or one "The answer is B" with
 * a character behind it.
 *
 * @param choices how many options the question has, 2 to 5
 * @returns the letter, undefined where there is none of the options
 */
export function scienceQAAnswer(answer: string, choices: number): string | undefined {
  checkAnswer("scienceQAAnswer", answer);
  checkNumber("scienceQAAnswer: choices", choices, { min: 2, max: 5, integer: true });
  const stated = [...answer.matchAll(/The answer is ([A-Z])./g)];
  const letter = /^([A-E])(?:$|\. )/.exec(answer)?.[1] ?? (stated.length === 1 ? stated[0][1] : undefined);
  return letter !== undefined && letter < letterOf(choices) ? letter : undefined;
}

const letterOf = (place: number): string => String.fromCharCode(65 + place);

function checkAnswer(caller: string, answer: unknown): void {
  if (typeof answer !== "string")
    throw new TypeError(`${caller}: answer must be a text, got ${describe(answer)}`);
}
