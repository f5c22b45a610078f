import { type Cell, cellsOf, readResult } from "./cells.js";
import { choose } from "./choose.js";
import {
  type Comparison,
  compare,
  figure,
  type Measure,
  methodNames,
  type PartResults,
  spreadOf,
} from "./comparisons.js";
import { markdownTable } from "./markdown-table.js";
import {
  type Chosen,
  hasFlips,
  type StudyPart,
  testParts,
  trainedMethods,
  tuningParts,
  tuningPartsOf,
} from "./plan.js";
import type { MethodResult } from "./raw-results.js";
import { scatterFigure } from "./scatter-figure.js";
import { theoremOneSection } from "./theorem-1-page.js";
import { atEqualP } from "./trade-off.js";

/** Reads the results that exist of a part. */
export async function partResults(part: StudyPart, folder?: string): Promise<PartResults> {
  const results: PartResults = [];
  for (const cell of cellsOf(part)) {
    const result = await readResult(cell, folder);
    if (result) results.push({ ...pick(cell), result });
  }
  return results;
}

const pick = ({ set, seed }: Cell) => ({ set, seed });
const isComplete = (part: StudyPart, results: PartResults) => results.length === cellsOf(part).length;

/** The choice that the tuning results lead to; undefined while some are missing. */
export async function chooseAll(folder?: string): Promise<Chosen | undefined> {
  const chosen: Partial<Chosen> = {};
  for (const method of trainedMethods) {
    const [first, ...others] = tuningPartsOf(method);
    let [part, results] = [first, await partResults(first, folder)];
    if (!isComplete(first, results)) return undefined;
    for (const other of others) {
      const more = await partResults(other, folder);
      if (!isComplete(other, more)) return undefined;
      const names = other.methods.map(({ name }) => name);
      [part, results] = withMethodsOf({ part: other, results: more, names }, part, results);
    }
    chosen[method] = choose(part, results);
  }
  return chosen as Chosen;
}

/** The pages of the study and their figures, by file name: a function of the committed results alone. */
export async function studyPages(folder?: string): Promise<Record<string, string>> {
  const pages: Record<string, string> = {};
  const sections = [
    "# The study\n\nGenerated from `examples/scenes/study/results` by `npm run study -w examples/scenes -- --pages`; `--check` compares. " +
      "[protocol.md](protocol.md) says what was asked and how.",
  ];
  const chosen = await chooseAll(folder);
  const questions = chosen ? testParts(chosen) : [];
  for (const planned of [...tuningParts, ...questions]) {
    const own = await partResults(planned, folder);
    const total = cellsOf(planned).length;
    sections.push(`## ${planned.title}`);
    if (!isComplete(planned, own)) {
      sections.push(
        own.length === 0
          ? "Not run yet."
          : `${own.length} of ${total} runs are done. The figures appear here when all are done.`,
      );
      continue;
    }
    const [part, results] = planned.beside
      ? withMethodsOf(
          {
            part: questions[0],
            results: await partResults(questions[0], folder),
            names: planned.beside,
          },
          planned,
          own,
        )
      : [planned, own];
    pages[`${part.name}.svg`] = pictureOf(part, results);
    sections.push(
      sentencesOf(part, results, chosen),
      `![${part.title}: P against D](${part.name}.svg)`,
      tableOf(part, results),
    );
    if (part.name === "question-5") sections.push(factorTable(part, results));
  }
  if (chosen) {
    const { section, picture } = await theoremOneSection(cellsOf(questions[0]), folder);
    sections.push(section);
    if (picture) pages["question-6.svg"] = picture;
  } else sections.push("## Questions on test\n\nNot run yet: tuning comes first.");
  pages["README.md"] = `${sections.join("\n\n")}\n`;
  return pages;
}

/** A part and its results, after methods of another part and theirs. */
function withMethodsOf(
  from: { part: StudyPart; results: PartResults; names: readonly string[] },
  part: StudyPart,
  results: PartResults,
): [StudyPart, PartResults] {
  const named = from.part.methods.filter(({ name }) => from.names.includes(name));
  const merged = results.map(({ set, seed, result }) => {
    const other = from.results.find((entry) => entry.set === set && entry.seed === seed);
    if (!other) throw new Error(`${part.name}: ${from.part.name} has no result of set ${set}, seed ${seed}`);
    const methods = Object.fromEntries(named.map(({ name }) => [name, other.result.methods[name]]));
    return { set, seed, result: { ...result, methods: { ...result.methods, ...methods } } };
  });
  return [{ ...part, methods: [...named, ...part.methods] }, merged];
}

function pictureOf(part: StudyPart, results: PartResults): string {
  const points = methodNames(part).map((name) => ({
    label: name,
    method: part.methods.find((own) => own.name === name)?.method ?? "original",
    x: spreadOf(results, figure("D"), name),
    y: spreadOf(results, figure("P strict"), name),
  }));
  const runs = `${results.length} runs each, bars of one standard deviation`;
  return scatterFigure(`${part.title}, ${part.split}; ${runs}`, { x: "D", y: "P strict", points });
}

interface Column {
  title: string;
  measure: (method: MethodResult) => number | undefined;
  digits: number;
}

const columns: Column[] = [
  ...(["P strict", "P two-way", "D", "k-NN"] as const).map((name) => ({
    title: name,
    measure: figure(name),
    digits: 1,
  })),
  { title: "drift", measure: ({ training }) => training?.drift, digits: 3 },
  {
    title: "negative cosines, %",
    measure: ({ training }) => training?.negativeCosines && 100 * training.negativeCosines,
    digits: 0,
  },
  ...(["negatives", "augmented", "target"] as const).map((name) => ({
    title: `s(a, ${{ negatives: "P", augmented: "A+", target: "G" }[name]}) at the end`,
    measure: ({ training }: MethodResult) => training?.last[`similarity/${name}`],
    digits: 4,
  })),
  { title: "temperature", measure: ({ training }) => training?.last["temperature"], digits: 4 },
  { title: "seconds a step", measure: ({ training }) => training?.secondsPerStep, digits: 2 },
];

/** Every method's figures: mean ± standard deviation over the runs. */
function tableOf(part: StudyPart, results: PartResults): string {
  const names = methodNames(part);
  const value = ({ measure, digits }: Column, name: string) => {
    const values = results.map(({ result }) => measure(result.methods[name]));
    if (values.some((each) => each === undefined)) return "";
    const { mean, std } = spreadOf(results, measure as Measure, name);
    return `${mean.toFixed(digits)} ± ${std.toFixed(digits)}`;
  };
  const shown = columns.filter((column) => names.some((name) => value(column, name) !== ""));
  return markdownTable(
    shown.map(({ title }) => title),
    names.map((name) => [`\`${name}\``, ...shown.map((column) => value(column, name))]),
  );
}

const onFactor =
  (factor: string): Measure =>
  ({ patterns }) =>
    100 * patterns["P two-way"][factor];

function factorTable(part: StudyPart, results: PartResults): string {
  const names = methodNames(part);
  const factors = Object.keys(results[0].result.methods["original"].patterns["P two-way"]);
  const cell = (factor: string, name: string) => {
    const { mean, std } = spreadOf(results, onFactor(factor), name);
    return `${mean.toFixed(1)} ± ${std.toFixed(1)}`;
  };
  const rows = names.map((name) => [`\`${name}\``, ...factors.map((factor) => cell(factor, name))]);
  return `Two-way accuracy by factor (chance 50 %):\n\n${markdownTable(factors, rows)}`;
}

const points = (value: number) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;

/** A difference, and whether its primary interval excludes 0. */
function describeComparison(what: string, { mean, overSets, overRuns }: Comparison): string {
  const range = (name: string, found?: { interval: [number, number] }) =>
    found ? [`${name} ${points(found.interval[0])} to ${points(found.interval[1])}`] : [];
  const intervals = [...range("over model sets", overSets), ...range("over runs", overRuns)].join("; ");
  const [low, high] = overSets?.interval ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  const verdict = low > 0 ? "it is higher" : high < 0 ? "it is lower" : "these runs cannot tell";
  return `${what}: ${points(mean)} points (95 % ${intervals}): ${verdict}.`;
}

/** Two sentences that the figures support. */
function sentencesOf(part: StudyPart, results: PartResults, chosen: Chosen | undefined): string {
  if (part.split === "validation") {
    const best = choose(part, results);
    const [P, D] = [figure("P strict"), figure("D")].map((of) => spreadOf(results, of, best.name).mean);
    const before = spreadOf(results, figure("D"), "original").mean;
    return (
      `By the protocol's rule the best of these is \`${best.name}\`: P ${P.toFixed(1)} at D ${D.toFixed(1)}, where \`original\` has D ${before.toFixed(1)}. ` +
      `These are validation figures of ${part.methods.length} configurations with ${results.length} seeds each, of which the best is shown: they say nothing about test.`
    );
  }
  const sentences = [primarySentence(part, results, chosen!), againstOriginal(part, results)];
  if (part.name === "question-1") sentences.push(dAtEqualP(part, results));
  return sentences.join(" ");
}

/** D of dcr against that of the other methods where all moves are straight lines from `original`: exploratory. */
function dAtEqualP(part: StudyPart, results: PartResults): string {
  const found = trainedMethods
    .filter((method) => method !== "dcr")
    .map((minus) => {
      const comparison = atEqualP(results, part.methods, { of: "dcr", minus });
      return describeComparison(`D of \`dcr\` minus D of \`${minus}\``, comparison);
    });
  return `Exploratory, at the largest P that both reach, on straight lines from \`original\`: ${found.join(" ")}`;
}

function primarySentence(part: StudyPart, results: PartResults, chosen: Chosen): string {
  const P = figure("P strict");
  if (part.name === "trade-off") {
    const found = atEqualP(results, part.methods, { of: "dcr", minus: "rec" });
    return describeComparison("At the largest P that both reach, D of `dcr` minus D of `rec`", found);
  }
  if (part.name === "question-4") {
    const meanP = (name: string) => spreadOf(results, P, name).mean;
    const remedies = part.methods.filter(({ method, name }) => method === "naive" && name !== "naive chosen");
    const { name: best } = remedies.reduce((a, b) => (meanP(b.name) > meanP(a.name) ? b : a));
    const found = compare(results, P, { of: best, minus: "dcr chosen" });
    return describeComparison(`P strict of the best remedy, \`${best}\`, minus that of \`dcr\``, found);
  }
  if (part.name === "question-5") {
    const pair = hasFlips(chosen.con)
      ? { of: "con no flips", minus: "con chosen" }
      : { of: "con chosen", minus: "con flips" };
    return describeComparison(
      "Two-way accuracy on facing of `con` without flips minus with",
      compare(results, onFactor("facing"), pair),
    );
  }
  const { figure: name, of, minus } = part.primary!;
  const found = compare(results, figure(name), { of, minus });
  return describeComparison(`${name} of \`${of}\` minus \`${minus}\``, found);
}

/** How many of a part's methods move P and D away from `original`, by the primary interval. */
function againstOriginal(part: StudyPart, results: PartResults): string {
  const moved = (name: "P strict" | "D", sign: 1 | -1) =>
    part.methods.filter((method) => {
      const { overSets } = compare(results, figure(name), { of: method.name, minus: "original" });
      return overSets && sign * overSets.interval[sign > 0 ? 0 : 1] > 0;
    }).length;
  const all = part.methods.length;
  return (
    `Against \`original\`, over model sets, P strict rises with ${moved("P strict", 1)} of ${all} configurations and falls with ${moved("P strict", -1)}; ` +
    `D rises with ${moved("D", 1)} and falls with ${moved("D", -1)}.`
  );
}
