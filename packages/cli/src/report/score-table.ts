import { escapeMarkup } from "../shared/escape-markup.js";
import { type Results, type Spread, standsOut } from "./results.js";

const percent = (value: number) => (100 * value).toFixed(1);
const signed = (value: number) => {
  const size = percent(Math.abs(value));
  if (size === "0.0") return size;
  return `${value < 0 ? "−" : "+"}${size}`;
};

/** Every figure of every method, with the change against `original`, as an HTML table. */
export function scoreTable(results: Results): string {
  const several = results.seeds.length > 1;
  const spread = ({ std }: Spread) => (several ? ` <small>± ${percent(std)}</small>` : "");
  const columns = figureNames(results);
  const rows = Object.entries(results.figures).map(([method, figures]) => {
    const cells = columns.flatMap(([group, names]) =>
      names.map((name) => {
        const value = figures[group]![name]!;
        const change = results.changes[method]?.[group]?.[name];
        const shade = !change || !standsOut(change, results.seeds) ? "same" : change.mean < 0 ? "down" : "up";
        const line = change ? `<div class="${shade}">${signed(change.mean)}${spread(change)}</div>` : "";
        return `<td>${percent(value.mean)}${spread(value)}${line}</td>`;
      }),
    );
    return `<tr><th>${escapeMarkup(method)}</th>${cells.join("")}</tr>`;
  });
  const heads = columns.map(([group, names]) => `<th colspan="${names.length}">${escapeMarkup(group)}</th>`);
  const titles = columns.flatMap(([, names]) => names.map((name) => `<th>${escapeMarkup(name)}</th>`));
  return (
    `<table><thead><tr><th></th>${heads.join("")}</tr><tr><th></th>${titles.join("")}</tr></thead>` +
    `<tbody>${rows.join("")}</tbody></table>`
  );
}

/** The same as lines of text, and how often gradients conflict. */
export function resultsText(results: Results): string {
  const several = results.seeds.length > 1;
  const columns = figureNames(results).flatMap(([group, names]) => names.map((name) => ({ group, name })));
  const header = ["method", ...columns.map(({ name }) => name)];
  const cell = ({ mean, std }: Spread) => `${percent(mean)}${several ? ` ±${percent(std)}` : ""}`;
  const rows = Object.entries(results.figures).map(([method, figures]) => [
    method,
    ...columns.map(({ group, name }) => cell(figures[group]![name]!)),
  ]);
  const widths = header.map((_, i) => Math.max(...[header, ...rows].map((row) => row[i]!.length)));
  const line = (row: string[]) =>
    row.map((text, i) => (i === 0 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!))).join("  ");
  const table = columns.length > 0 ? [line(header), ...rows.map(line)] : [];
  return [...table, ...driftLines(results), ...conflictLines(results)].join("\n");
}

/** A sentence on how far the features moved. */
export function driftLines({ drift, seeds }: Results): string[] {
  const parts = Object.entries(drift).map(
    ([method, { mean, std }]) =>
      `${method} ${mean.toFixed(3)}${seeds.length > 1 ? ` ± ${std.toFixed(3)}` : ""}`,
  );
  return parts.length > 0
    ? [`drift of the features (1 - mean cosine to original's): ${parts.join(", ")}`]
    : [];
}

/** A sentence on each pair of losses. */
export function conflictLines({ conflict }: Results): string[] {
  return conflict.map(({ method, pair, negativeShare, meanCosine, steps, meanNorms, meanWeights }) => {
    const list = (means: Record<string, number>, format: (mean: number) => string) =>
      Object.entries(means)
        .map(([loss, mean]) => `${loss} ${format(mean)}`)
        .join(", ");
    const norms = list(meanNorms, (norm) => norm.toPrecision(2));
    const weights = meanWeights && list(meanWeights, (weight) => String(Number(weight.toPrecision(3))));
    const aggregated = weights === undefined ? "" : `; the aggregator's mean weights ${weights}`;
    return (
      `${method}, ${pair}: the gradients' cosine is negative in ${percent(negativeShare)} % of ${steps} steps, ` +
      `mean ${meanCosine.toFixed(3)}; mean norms ${norms}${aggregated}`
    );
  });
}

/** Groups of figures, each with its names. */
function figureNames({ figures }: Results): [group: string, names: string[]][] {
  const [first = {}] = Object.values(figures);
  return Object.entries(first).map(([group, byName]) => [group, Object.keys(byName)]);
}
