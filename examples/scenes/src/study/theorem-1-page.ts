import type { TheoremOne } from "@dcr-js/dcr";
import type { Cell } from "./cells.js";
import { average, spread } from "./comparisons.js";
import { markdownTable } from "./markdown-table.js";
import { measurementSection, type Section } from "./measurement-file.js";
import { scatterFigure } from "./scatter-figure.js";
import { type TheoremOneResult, theoremOneFile } from "./theorem-1-results.js";

/** Spearman's rank correlation; equal values have the mean of their ranks. */
export function rankCorrelation(a: readonly number[], b: readonly number[]): number {
  const ranks = (values: readonly number[]) =>
    values.map(
      (value) =>
        values.filter((other) => other < value).length + values.filter((other) => other === value).length / 2,
    );
  const [x, y] = [ranks(a), ranks(b)];
  const [mx, my] = [average(x), average(y)];
  const product = (u: readonly number[], mu: number, v: readonly number[], mv: number) =>
    u.reduce((sum, value, i) => sum + (value - mu) * (v[i] - mv), 0);
  return product(x, mx, y, my) / Math.sqrt(product(x, mx, x, mx) * product(y, my, y, my));
}

/** Figures of a method in a run: means over images and timesteps. */
const figures = {
  "S_inner of features, %": ({ features }: TheoremOne) => share(features),
  "S_inner of noises, %": ({ noises }: TheoremOne) => share(noises),
  "bound of S_inner / S_inner": ({ innerBound, features }: TheoremOne) => innerBound / features.inner,
  "bound of S_inter / S_inter": ({ interBound, features }: TheoremOne) => interBound / features.inter,
  "M / m": ({ lower, upper }: TheoremOne) => upper / lower,
};

/** The inner part of the scatter, in percent. */
const share = ({ inner, inter }: { inner: number; inter: number }) => (100 * inner) / (inner + inter);

/** The section of question 6, and its figure; neither before all cells are measured. */
export const theoremOneSection = (cells: readonly Cell[], folder?: string): Promise<Section> =>
  measurementSection(
    {
      title: "## Question 6: Theorem 1, scatter in feature and in noise space",
      file: theoremOneFile,
      cells,
      folder,
    },
    sectionOf,
  );

function sectionOf(results: readonly TheoremOneResult[]): Section {
  const names = Object.keys(results[0].methods);
  const valuesOf = (name: string, of: (entry: TheoremOne) => number) =>
    results.map(({ methods }) => average(methods[name].map(of)));
  const cell = (name: string, of: (entry: TheoremOne) => number) => {
    const { mean, std } = spread(valuesOf(name, of));
    const digits = Math.abs(mean) >= 100 ? 0 : 1;
    return `${mean.toFixed(digits)} ± ${std.toFixed(digits)}`;
  };
  const table = markdownTable(
    Object.keys(figures),
    names.map((name) => [`\`${name}\``, ...Object.values(figures).map((of) => cell(name, of))]),
  );
  const picture = scatterFigure(
    `Share of the scatter within classes, test; ${results.length} runs each, bars of one standard deviation`,
    {
      x: "S_inner / (S_inner + S_inter) of features",
      y: "S_inner / (S_inner + S_inter) of noises",
      points: names.map((name) => ({
        label: name,
        method: name.split(" ")[0],
        x: spread(valuesOf(name, figures["S_inner of features, %"])),
        y: spread(valuesOf(name, figures["S_inner of noises, %"])),
      })),
    },
  );
  const image = "![Scatter within classes, of features and of noises](question-6.svg)";
  return { section: [sentences(results), image, table].join("\n\n"), picture };
}

function sentences(results: readonly TheoremOneResult[]): string {
  const entries = results.flatMap(({ methods }) => Object.values(methods).flat());
  // Rounding of float32 sums.
  const slack = 1e-4;
  const holds = entries.filter(
    ({ features, innerBound, interBound }) =>
      features.inner <= innerBound * (1 + slack) &&
      features.inter >= interBound - slack * Math.abs(interBound),
  ).length;
  const informative = entries.filter(({ interBound }) => interBound > 0).length;
  const ratios = entries.map(({ features, innerBound }) => innerBound / features.inner).sort((a, b) => a - b);
  // The mean over a method's images and timesteps in each run, then ranks over runs and methods.
  const means = (of: (entry: TheoremOne) => number) =>
    results.flatMap(({ methods }) => Object.values(methods).map((own) => average(own.map(of))));
  const inner = rankCorrelation(
    means(({ innerBound }) => innerBound),
    means(({ features }) => features.inner),
  );
  const inter = rankCorrelation(
    means(({ interBound }) => interBound),
    means(({ features }) => features.inter),
  );
  return (
    `Both bounds hold in ${holds} of ${entries.length} measurements; that on S_inner is ${ratios[Math.floor(ratios.length / 2)].toFixed(0)} times its side (median), ` +
    `and that on S_inter is above 0 in ${informative}. ` +
    `Over the encoders, the rank correlation of a bound with its side is ${inner.toFixed(2)} for S_inner and ${inter.toFixed(2)} for S_inter.`
  );
}
