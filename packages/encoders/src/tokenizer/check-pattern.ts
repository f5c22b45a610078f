/** Longer expressions are nobody's. */
const MAX_LENGTH = 1000;
/** Each costs a power of the text's length at worst. */
const MAX_REPETITIONS = 2;

/**
 * Checks that a regular expression of a tokenizer.json cannot take for ever: no group is repeated, nothing looks ahead or behind,
 * nothing refers back, and an alternative has at most two unbounded repetitions. The tokenizers of CLIP, SigLIP and Gemma keep
 * to that.
 *
 * @param where the file and the key, for the error
 * @throws where it does not
 */
export function checkPattern(where: string, pattern: string): void {
  const refuse = (why: string): never => {
    throw new Error(
      `${where}: ${why}, which could take for ever; got ${JSON.stringify(pattern.slice(0, 80))}`,
    );
  };
  if (pattern.length > MAX_LENGTH)
    refuse(`the expression has ${pattern.length} characters of at most ${MAX_LENGTH}`);
  let depth = 0;
  let repetitions = 0;
  let afterGroup = false;
  for (let i = 0; i < pattern.length; i++) {
    const rest = pattern.slice(i);
    const quantifier = /^(?:[*+?]|\{\d*,?\d*\})/.exec(rest)?.[0];
    if (quantifier && i > 0) {
      if (afterGroup) refuse("a group is repeated");
      if (isUnbounded(quantifier) && ++repetitions > MAX_REPETITIONS) {
        refuse(`an alternative repeats more than ${MAX_REPETITIONS} times without bound`);
      }
      i += quantifier.length - 1;
      // A possessive or lazy sign after it repeats nothing.
      if (/[?+]/.test(pattern[i + 1] ?? "")) i++;
      continue;
    }
    afterGroup = false;
    const character = pattern[i];
    if (character === "\\") {
      if (/^\\(?:[1-9]|k)/.test(rest)) refuse("the expression refers back to a group");
      i++;
    } else if (character === "[") {
      i += classLength(rest) - 1;
    } else if (character === "(") {
      if (/^\(\?(?!:)/.test(rest)) refuse("a group looks ahead or behind, or sets options");
      depth++;
    } else if (character === ")") {
      depth--;
      afterGroup = true;
    } else if (character === "|" && depth === 0) {
      repetitions = 0;
    }
  }
}

function isUnbounded(quantifier: string): boolean {
  if (quantifier === "*" || quantifier === "+") return true;
  if (quantifier === "?") return false;
  const [, low, comma, high] = /^\{(\d*)(,?)(\d*)\}$/.exec(quantifier)!;
  return (comma === "," && high === "") || Number(high || low) > 64;
}

/** How many characters a class has, from its `[` to its `]`; a class inside it counts. */
function classLength(text: string): number {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === "[") depth++;
    else if (text[i] === "]" && --depth === 0) return i + 1;
  }
  return text.length;
}
