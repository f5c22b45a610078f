import { figure, type Measure, methodNames, type PartResults, spreadOf } from "./comparisons.js";
import { markdownTable } from "./markdown-table.js";
import type { StudyPart } from "./plan.js";
import type { MethodResult } from "./raw-results.js";

interface Column {
  title: string;
  measure: (method: MethodResult) => number | undefined;
  digits: number;
}

const figureColumns: Column[] = [
  ...(["P strict", "P two-way", "D", "k-NN"] as const).map((name) => ({
    title: name,
    measure: figure(name),
    digits: 1,
  })),
  { title: "drift", measure: ({ training }) => training?.drift, digits: 3 },
];

const conflictColumns: Column[] = [
  ...(["negative", "conflicting", "orthogonal"] as const).map((name) => ({
    title: `${name}, % of steps`,
    measure: ({ training }: MethodResult) => training?.conflict && 100 * training.conflict[name],
    digits: 0,
  })),
  {
    title: "norm of con / norm of rec",
    measure: ({ training }) => {
      const norms = training?.conflict?.norms;
      return norms && norms["con"] / norms["rec"];
    },
    digits: 0,
  },
  { title: "mean cosine", measure: ({ training }) => training?.conflict?.meanCosine, digits: 3 },
];

/** Names of the similarities by those of the metrics. */
const similarities = { negatives: "P", augmented: "A+", target: "G" };

/** The similarities' means and standard deviations over the first or the last 50 steps. */
const similarityColumns = (when: "first" | "last"): Column[] => [
  ...(Object.keys(similarities) as (keyof typeof similarities)[]).flatMap((name) => [
    {
      title: `s(a, ${similarities[name]})`,
      measure: ({ training }: MethodResult) => training?.[when][`similarity/${name}`],
      digits: 4,
    },
    {
      title: `std of s(a, ${similarities[name]})`,
      measure: ({ training }: MethodResult) => training?.[when][`similarity/${name}Spread`],
      digits: 4,
    },
  ]),
  { title: "temperature", measure: ({ training }) => training?.[when]["temperature"], digits: 4 },
];

/** Every method's figures: mean ± standard deviation over the runs. */
export function tableOf(part: StudyPart, results: PartResults): string {
  return table(
    part.name === "question-4" ? [...figureColumns, ...conflictColumns] : figureColumns,
    part,
    results,
  );
}

/** How the similarities of the predicted noises begin and end. */
export function similarityTables(part: StudyPart, results: PartResults): string {
  const [first, last] = (["first", "last"] as const).map((when) =>
    table(similarityColumns(when), part, results),
  );
  return `Similarities over the first 50 steps, and over the last 50:\n\n${first}\n\n${last}`;
}

function table(columns: readonly Column[], part: StudyPart, results: PartResults): string {
  const names = methodNames(part);
  const value = ({ measure, digits }: Column, name: string) => {
    const values = results.map(({ result }) => measure(result.methods[name]));
    if (values.some((each) => each === undefined)) return "";
    const { mean, std } = spreadOf(results, measure as Measure, name);
    return `${mean.toFixed(digits)} ± ${std.toFixed(digits)}`;
  };
  const shown = columns.filter((column) => names.some((name) => value(column, name) !== ""));
  const rows = names.filter((name) => shown.some((column) => value(column, name) !== ""));
  return markdownTable(
    shown.map(({ title }) => title),
    rows.map((name) => [`\`${name}\``, ...shown.map((column) => value(column, name))]),
  );
}

export const onFactor =
  (factor: string): Measure =>
  ({ patterns }) =>
    100 * patterns["P two-way"][factor];

/** Accuracy of every method on pairs that differ in one factor. */
export function factorTable(part: StudyPart, results: PartResults): string {
  const names = methodNames(part);
  const factors = Object.keys(results[0].result.methods["original"].patterns["P two-way"]);
  const cell = (factor: string, name: string) => {
    const { mean, std } = spreadOf(results, onFactor(factor), name);
    return `${mean.toFixed(1)} ± ${std.toFixed(1)}`;
  };
  const rows = names.map((name) => [`\`${name}\``, ...factors.map((factor) => cell(factor, name))]);
  return `Two-way accuracy by factor (chance 50 %):\n\n${markdownTable(factors, rows)}`;
}

/** How the conflict of each method goes on over the training. */
export function conflictTable(part: StudyPart, results: PartResults): string {
  const names = methodNames(part).filter((name) => results[0].result.methods[name].training?.conflict);
  const inFifth =
    (fifth: number): Measure =>
    ({ training }) =>
      100 * training!.conflict!.fifths[fifth].conflicting;
  const rows = names.map((name) => [
    `\`${name}\``,
    ...[0, 1, 2, 3, 4].map((fifth) => {
      const { mean, std } = spreadOf(results, inFifth(fifth), name);
      return `${mean.toFixed(0)} ± ${std.toFixed(0)}`;
    }),
  ]);
  const titles = ["first fifth", "second", "third", "fourth", "last"];
  return `Conflicting steps in each fifth of the training, %:\n\n${markdownTable(titles, rows)}`;
}
