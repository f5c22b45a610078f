/** Longer expressions are nobody's. */
const MAX_LENGTH = 1000;
/** A bounded repetition up to this, such as `{1,3}` and `?`, is tried at every length; a longer one counts as one without bound. */
const MAX_COUNT = 64;
/** In how many ways the bounded repetitions and the groups of an alternative may match together. */
const MAX_WAYS = 64;

/**
 * Checks that a regular expression of a tokenizer.json cannot take for ever. An engine that goes back tries every length of every
 * repetition and every alternative of every group, so: no group is repeated, nothing looks ahead or behind, nothing refers back, an
 * alternative ends with its one repetition without bound (but for anchors) and matches a character at least, and the bounded ones and the
 * groups match in few ways together. The tokenizers of SigLIP and Gemma keep to that.
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
  /** How many alternatives each of the groups has that are open. */
  const groups: number[] = [];
  let ways = 1;
  let isUnbounded = false;
  let afterGroup = false;
  let consumed = 0;
  const consume = () => {
    if (isUnbounded) refuse("an alternative goes on after a repetition without bound");
    consumed++;
  };
  const multiply = (count: number) => {
    ways *= count;
    if (ways > MAX_WAYS) refuse(`an alternative can match in more than ${MAX_WAYS} ways`);
  };
  const endAlternative = () => {
    if (consumed === 0) refuse("an alternative may match nothing, and so everywhere");
    [ways, isUnbounded, consumed] = [1, false, 0];
  };
  for (let i = 0; i < pattern.length; i++) {
    const rest = pattern.slice(i);
    const quantifier = /^(?:[*+?]|\{\d*,?\d*\})/.exec(rest)?.[0];
    if (quantifier && i > 0) {
      if (afterGroup) refuse("a group is repeated");
      const [least, most] = countsOf(quantifier);
      if (least === 0) consumed--;
      if (most > MAX_COUNT) isUnbounded = true;
      else multiply(most - least + 1);
      i += quantifier.length - 1;
      // A possessive or lazy sign after it repeats nothing.
      if (/[?+]/.test(pattern[i + 1] ?? "")) i++;
      continue;
    }
    afterGroup = false;
    const character = pattern[i];
    if (character === "\\") {
      if (/^\\(?:[1-9]|k)/.test(rest)) refuse("the expression refers back to a group");
      if (!/^\\[AbBGzZ]/.test(rest)) consume();
      i++;
    } else if (character === "[") {
      consume();
      i += classLength(rest) - 1;
    } else if (character === "(") {
      if (/^\(\?(?!:)/.test(rest)) refuse("a group looks ahead or behind, or sets options");
      // The signs after it repeat nothing.
      if (rest.startsWith("(?:")) i += 2;
      groups.push(1);
    } else if (character === ")") {
      multiply(groups.pop() ?? 1);
      afterGroup = true;
    } else if (character === "|") {
      if (groups.length === 0) endAlternative();
      else groups[groups.length - 1]!++;
    } else if (character !== "^" && character !== "$") {
      consume();
    }
  }
  endAlternative();
}

/** The fewest and the most times that a quantifier repeats. */
function countsOf(quantifier: string): [least: number, most: number] {
  if (quantifier === "?") return [0, 1];
  if (quantifier === "*") return [0, Number.POSITIVE_INFINITY];
  if (quantifier === "+") return [1, Number.POSITIVE_INFINITY];
  const [, low = "", comma, high = ""] = /^\{(\d*)(,?)(\d*)\}$/.exec(quantifier)!;
  const least = Number(low);
  return [least, comma === "" ? least : high === "" ? Number.POSITIVE_INFINITY : Number(high)];
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
