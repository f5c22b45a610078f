import type { z } from "zod";
import { shown } from "./shown.js";

/** What a schema demands of a value, in words: `expected a number of at least 1`. */
export function expectation(issue: z.core.$ZodIssue): string {
  // A schema's own message says more than zod's.
  if (!/^(Invalid|Too|Unrecognized) /.test(issue.message)) return issue.message;
  switch (issue.code) {
    case "invalid_type":
      return `expected ${issue.expected === "int" ? "integer" : issue.expected}`;
    case "too_small":
      return `expected ${limited(issue.origin)} ${issue.inclusive ? "at least" : "more than"} ${issue.minimum}`;
    case "too_big":
      return `expected ${limited(issue.origin)} ${issue.inclusive ? "at most" : "less than"} ${issue.maximum}`;
    case "invalid_value":
      return `expected ${issue.values.map(shown).join(" or ")}`;
    case "invalid_union": {
      const forms = issue.errors.flatMap(([first]) =>
        first ? [expectation(first).replace("expected ", "")] : [],
      );
      return forms.length > 0 ? `expected ${[...new Set(forms)].join(" or ")}` : issue.message;
    }
    case "unrecognized_keys":
      return `unknown key${issue.keys.length > 1 ? "s" : ""} ${issue.keys.map(shown).join(", ")}`;
    default:
      return issue.message;
  }
}

const limited = (origin: string): string =>
  origin === "array" ? "a list with a length of" : `a ${origin} of`;
