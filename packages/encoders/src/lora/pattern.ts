import { RE2JS } from "re2js";

/** Longer patterns are nobody's; they only cost time. */
const MAX_LENGTH = 4096;

/**
 * Compiles a regular expression that came from a user or a file, with RE2's syntax, whose matching takes time linear in the
 * text. It is Python's but for lookaround and backreferences.
 *
 * @param name how the error names it
 * @returns a test of whether the whole text matches, as `re.fullmatch` does
 * @throws if the pattern is not one
 */
export function fullMatch(name: string, pattern: string): (text: string) => boolean {
  if (pattern.length > MAX_LENGTH) {
    throw new Error(`${name} must have at most ${MAX_LENGTH} characters, got ${pattern.length}`);
  }
  const compiled = compile(name, pattern);
  return (text) => compiled.matcher(text).matches();
}

/** The test of a key of peft's `rank_pattern` and `alpha_pattern` on a layer's path: it matches the path, or what follows one of its dots. */
export const patternTest = (name: string, key: string): ((path: string) => boolean) =>
  fullMatch(name, `(?:.*\\.)?(?:${key})`);

/** As {@link fullMatch}, but gives the first group of a match at the text's start, or undefined. */
export function firstGroup(name: string, pattern: string): (text: string) => string | undefined {
  const compiled = compile(name, pattern);
  return (text) => {
    const matcher = compiled.matcher(text);
    return matcher.lookingAt() ? (matcher.group(1) ?? undefined) : undefined;
  };
}

function compile(name: string, pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    throw new Error(
      `${name} must be a regular expression of RE2's syntax (Python's without lookaround and backreferences), got ` +
        `${JSON.stringify(pattern.slice(0, 80))}: ${(error as Error).message}`,
      { cause: error },
    );
  }
}
