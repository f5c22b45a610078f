import { z } from "zod";

/** An evaluation's result; a user's module returns it too. */
export const evaluationSchema = z.strictObject({
  /** Figures by group and name, each in [-1, 1], such as a share or an adjusted Rand index; higher is better. */
  figures: z.record(z.string(), z.record(z.string(), z.number().min(-1).max(1))),
  /** Standard errors of some figures, from the number of examples, by the same groups and names. */
  standardErrors: z.record(z.string(), z.record(z.string(), z.number().nonnegative())).optional(),
  /** A measure's accuracy by pattern, for detail pairs. */
  patterns: z
    .array(
      z.strictObject({
        measure: z.string(),
        pattern: z.string(),
        accuracy: z.number().min(0).max(1),
        count: z.int().nonnegative(),
      }),
    )
    .optional(),
  /** Features of labelled images, for a map of them. */
  features: z
    .strictObject({ values: z.array(z.array(z.number())), labels: z.array(z.string()) })
    .refine(({ values, labels }) => values.length === labels.length, "a label for each row of values")
    .refine(({ values }) => values.every((row) => row.length === values[0]!.length), "rows of one length")
    .optional(),
  /** Pictures for the report: PNG files in base64. */
  pictures: z.array(z.strictObject({ title: z.string(), png: z.base64() })).optional(),
});

export type Evaluation = z.infer<typeof evaluationSchema>;

/** All evaluations' figures and patterns in one. */
export function joinEvaluations(evaluations: readonly Evaluation[]): Evaluation {
  return {
    figures: Object.assign({}, ...evaluations.map(({ figures }) => figures)) as Evaluation["figures"],
    standardErrors: Object.assign({}, ...evaluations.map(({ standardErrors }) => standardErrors)),
    patterns: evaluations.flatMap(({ patterns = [] }) => patterns),
    features: evaluations.findLast(({ features }) => features !== undefined)?.features,
    pictures: evaluations.flatMap(({ pictures = [] }) => pictures),
  };
}
