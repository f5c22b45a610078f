import { describe } from "./check-options.js";

/** A value from a file as an error shows it: as JSON, on one line, of at most 80 characters. */
export function shown(value: unknown): string {
  const text = typeof value === "number" ? String(value) : (json(value) ?? describe(value));
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

function json(value: unknown): string | undefined {
  // Most of a long text is never shown.
  if (typeof value === "string" && value.length > 80) return JSON.stringify(value.slice(0, 80));
  try {
    return JSON.stringify(value);
  } catch {
    // Circular, a bigint, or nested more deeply than the stack.
    return undefined;
  }
}
