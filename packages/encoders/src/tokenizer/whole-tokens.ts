import type { AddedToken } from "./added-tokens.js";
import { stripped } from "./white-space.js";

type Node = { next: Map<string, Node>; token?: AddedToken };

/**
 * Cuts a text at tokens that are found in it as they are: leftmost first, the longest of those that begin there. White space
 * beside a token is dropped where the token says so.
 *
 * @returns tokens and the texts between them, none empty, in order
 */
export function wholeTokenSplitter(tokens: readonly AddedToken[]): (text: string) => (string | AddedToken)[] {
  const root: Node = { next: new Map() };
  for (const token of tokens) {
    let node = root;
    for (const unit of token.content.split("")) {
      let next = node.next.get(unit);
      if (!next) {
        next = { next: new Map() };
        node.next.set(unit, next);
      }
      node = next;
    }
    node.token = token;
  }
  const matchAt = (text: string, start: number): AddedToken | undefined => {
    let found: AddedToken | undefined;
    let node: Node | undefined = root;
    for (let i = start; i < text.length; i++) {
      node = node.next.get(text[i]!);
      if (!node) break;
      found = node.token ?? found;
    }
    return found;
  };
  return (text) => {
    const parts: (string | AddedToken)[] = [];
    let start = 0;
    let trimStart = false;
    const push = (end: number, trimEnd: boolean) => {
      const between = stripped(text.slice(start, end), { start: trimStart, end: trimEnd });
      if (between !== "") parts.push(between);
    };
    for (let i = 0; i < text.length; ) {
      const token = matchAt(text, i);
      if (!token) {
        i++;
        continue;
      }
      push(i, token.lstrip);
      parts.push(token);
      i += token.content.length;
      start = i;
      trimStart = token.rstrip;
    }
    push(text.length, false);
    return parts;
  };
}
