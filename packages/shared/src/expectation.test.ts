import { expect, it } from "vitest";
import { z } from "zod";
import { expectation } from "./expectation.js";

it.each<[z.ZodType, unknown, string]>([
  [z.number(), Number.NaN, "expected number"],
  [z.int(), 1.5, "expected integer"],
  [z.int().positive(), 0, "expected a number of more than 0"],
  [z.number().min(2), 1, "expected a number of at least 2"],
  [z.number().max(2), 3, "expected a number of at most 2"],
  [z.number().lt(2), 2, "expected a number of less than 2"],
  [z.array(z.int()).nonempty(), [], "expected a list with a length of at least 1"],
  [z.enum(["a", "b"]), "c", 'expected "a" or "b"'],
  [z.union([z.number(), z.boolean()]), "c", "expected number or boolean"],
  [z.union([z.number(), z.boolean()], { error: "expected a size" }), "c", "expected a size"],
  [z.number().positive("must be above 0"), 0, "must be above 0"],
  [z.strictObject({ a: z.number() }), { a: 1, b: 2 }, 'unknown key "b"'],
  [z.number().refine((x) => x % 2 === 1, "expected an odd number"), 2, "expected an odd number"],
])("expectation says what %# demands", (schema, value, text) => {
  expect(schema.safeParse(value).error!.issues.map(expectation)).toEqual([text]);
});
