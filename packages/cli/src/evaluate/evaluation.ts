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

/** An evaluation, and how it was asked for. */
export interface AskedEvaluation {
  what: string;
  evaluation: Evaluation;
}

/** All evaluations in one. @throws naming two that both give a group of figures, a measure's patterns, or features */
export function joinEvaluations(asked: readonly AskedEvaluation[]): Evaluation {
  const givers = new Map<string, string>();
  for (const { what, evaluation } of asked) {
    for (const part of partsOf(evaluation)) {
      const other = givers.get(part);
      if (other !== undefined) throw new Error(`${other} and ${what} both give ${part}; one of them may`);
      givers.set(part, what);
    }
  }
  const evaluations = asked.map(({ evaluation }) => evaluation);
  const features = evaluations.find((each) => each.features)?.features;
  return {
    figures: Object.assign({}, ...evaluations.map(({ figures }) => figures)) as Evaluation["figures"],
    standardErrors: Object.assign({}, ...evaluations.map(({ standardErrors }) => standardErrors)),
    patterns: evaluations.flatMap(({ patterns = [] }) => patterns),
    features,
    pictures: evaluations.flatMap(({ pictures = [] }) => pictures),
  };
}

/** The parts that a run has once. Pictures are told apart by their titles, and may share one. */
function partsOf({ figures, standardErrors = {}, patterns = [], features }: Evaluation): Set<string> {
  const groups = [...Object.keys(figures), ...Object.keys(standardErrors)];
  return new Set([
    ...groups.map((group) => `figures of the group "${group}"`),
    ...patterns.map(({ measure }) => `patterns of the measure "${measure}"`),
    ...(features ? ["features"] : []),
  ]);
}
