import type { z } from "zod";

/**
 * Checks a configuration against its schema.
 *
 * @param name what errors call it.
 * @throws one line that names every field that is not what it should be, and what came.
 */
export function parseConfig<T>(name: string, schema: z.ZodType<T>, config: unknown): T {
  const result = schema.safeParse(config);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => {
    const given = issue.path.reduce<unknown>((value, key) => (value as never)?.[key], config);
    const got = issue.path.length > 0 ? `, got ${JSON.stringify(given)}` : "";
    return `${issue.path.join(".") || "config"}: ${issue.message}${got}`;
  });
  throw new Error(`${name}: ${problems.join("; ")}`);
}
