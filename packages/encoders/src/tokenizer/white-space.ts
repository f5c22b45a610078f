/** Unicode's white space, as a part of a class. JavaScript's `\s` has U+FEFF too, and `trim` drops that but not U+0085. */
const whiteSpace = "\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";

const spacesBefore = new RegExp(`^[${whiteSpace}]+`, "u");
const spacesBehind = new RegExp(`[${whiteSpace}]+$`, "u");

/** The text without white space at its ends, or at one of them. */
export function stripped(text: string, ends: { start: boolean; end: boolean }): string {
  const from = ends.start ? text.replace(spacesBefore, "") : text;
  return ends.end ? from.replace(spacesBehind, "") : from;
}

/** A regular expression of a tokenizer.json, with Unicode's white space, which the tokenizers library means by `\s`. */
export function withUnicodeSpaces(expression: string): string {
  let isClass = false;
  return expression.replace(/\\.|[[\]]/gs, (part) => {
    if (part === "[") isClass = true;
    else if (part === "]") isClass = false;
    if (part === "\\S" && !isClass) return `[^${whiteSpace}]`;
    if (part !== "\\s") return part;
    return isClass ? whiteSpace : `[${whiteSpace}]`;
  });
}

/** The steps of a tokenizer.json with {@link withUnicodeSpaces} in every expression, and white space at the ends stripped by one. */
export function stepsWithUnicodeSpaces(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(stepsWithUnicodeSpaces);
  if (typeof value !== "object" || value === null) return value;
  const step = value as Record<string, unknown>;
  if (step["type"] === "Strip" && "strip_left" in step) {
    const ends = [step["strip_left"] && "^\\s+", step["strip_right"] && "\\s+$"].filter(Boolean);
    const Regex = withUnicodeSpaces(ends.join("|"));
    return ends.length > 0
      ? { type: "Replace", pattern: { Regex }, content: "" }
      : { type: "Sequence", normalizers: [] };
  }
  return Object.fromEntries(
    Object.entries(step).map(([key, inner]) => [
      key,
      key === "Regex" && typeof inner === "string" ? withUnicodeSpaces(inner) : stepsWithUnicodeSpaces(inner),
    ]),
  );
}
