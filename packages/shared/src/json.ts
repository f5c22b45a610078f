import { shown } from "./shown.js";

export interface JsonLimits {
  /** The deepest nesting of objects and lists. Default 64. */
  depth?: number;
}

/**
 * Parses JSON from a file that may be damaged or hostile: UTF-8 without errors, nesting bounded, no key twice in one object.
 * Infinities are read as Python writes them: `-Infinity` is in the configurations of diffusers' samplers.
 * `JSON.parse` alone takes the last of equal keys, where other readers take the first.
 *
 * @throws an error that says what is wrong, on one short line; the caller puts the file's name before it
 */
export function parseJson(bytes: Uint8Array | ArrayBuffer, { depth = 64 }: JsonLimits = {}): unknown {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new Error("not UTF-8", { cause: error });
  }
  checkStructure(text, depth);
  try {
    return JSON.parse(withoutInfinities(text));
  } catch (error) {
    throw new Error((error as Error).message.replace(/\s+/g, " ").slice(0, 160), { cause: error });
  }
}

/** Looks at brackets and keys only; whatever else is wrong, `JSON.parse` finds. */
function checkStructure(text: string, depth: number): void {
  /** For each open object its keys so far, for each open list undefined. */
  const open: (Set<string> | undefined)[] = [];
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === "{" || character === "[") {
      open.push(character === "{" ? new Set() : undefined);
      if (open.length > depth) throw new Error(`nested more than ${depth} deep`);
    } else if (character === "}" || character === "]") {
      open.pop();
    } else if (character === '"') {
      const end = endOfString(text, i);
      const keys = open.at(-1);
      if (keys && isKey(text, end)) {
        const key = unescaped(text.slice(i, end + 1));
        if (keys.has(key)) throw new Error(`key ${shown(key)} is there twice`);
        keys.add(key);
      }
      i = end;
    }
  }
}

/** Where the string that begins at `start` has its closing quote; the text's length where it has none. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at;
}

function isKey(text: string, end: number): boolean {
  let at = end + 1;
  while (at < text.length && " \t\n\r".includes(text[at]!)) at++;
  return text[at] === ":";
}

function unescaped(quoted: string): string {
  if (!quoted.includes("\\")) return quoted.slice(1, -1);
  try {
    return JSON.parse(quoted);
  } catch {
    return quoted;
  }
}

/** Infinities outside strings become numbers that are too large for a float64: JSON has them, and `JSON.parse` makes them infinite. */
function withoutInfinities(text: string): string {
  if (!text.includes("Infinity")) return text;
  let result = "";
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '"') i = endOfString(text, i);
    else if (text.startsWith("Infinity", i) && isWord(text, i, "Infinity".length)) {
      result += `${text.slice(start, i)}1e999`;
      start = i + "Infinity".length;
      i = start - 1;
    }
  }
  return result + text.slice(start);
}

/** Whether neither a letter, a digit nor a point is beside it. */
function isWord(text: string, start: number, length: number): boolean {
  return !/[\w.]/.test(text.charAt(start - 1) + text.charAt(start + length));
}
