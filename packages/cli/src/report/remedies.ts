import { isDeepStrictEqual } from "node:util";
import { baseOf, methodLabel, settingsOf } from "../config/methods.js";
import type { Method, RunConfig } from "../config/run-config.js";
import { escapeMarkup } from "../shared/escape-markup.js";
import { basisOf, type Difference, difference, type Figure, signed } from "./difference.js";
import { type RunFindings, type Spread, spread } from "./results.js";
import { meansGroup } from "./trade-off.js";

/** `naive`, the same with an aggregator that is to mend its conflict, and `dcr`, side by side. */
export interface Remedies {
  figures: Figure[];
  /** `naive`, its remedies, `dcr` where the run has it; none where no remedy can be compared. */
  methods: RemedyRow[];
  seeds: readonly number[];
  /** A sentence on each remedy of the run that is not compared: why. */
  leftOut: string[];
}

interface RemedyRow {
  method: string;
  isRemedy: boolean;
  /** Share of the steps in which the cosine of the two losses' gradients is negative, where the run recorded it. */
  negativeShare?: number;
  /** In the order of the figures. */
  values: { value: Spread; fromNaive?: Difference; fromDCR?: Difference }[];
}

/**
 * Undefined where the run has no remedy, a variant of `naive` whose aggregator is not the sum. A remedy is compared with the `naive` that
 * adds its two gradients, where it differs from that only by the aggregator.
 */
export function remediesOf(config: RunConfig, findings: RunFindings): Remedies | undefined {
  const isSum = (method: Method) => settingsOf(method, config).aggregator === "sum";
  const found = config.methods.filter((method) => baseOf(method) === "naive" && !isSum(method));
  if (found.length === 0) return undefined;
  const naive = config.methods.find((method) => methodLabel(method) === "naive" && isSum(method));
  const { evaluations, results } = findings;
  const leftOut: string[] = [];
  const remedies: string[] = [];
  for (const method of found) {
    const name = methodLabel(method);
    const more = naive ? settingsApart(settingsOf(method, config), settingsOf(naive, config)) : [];
    if (naive && more.length === 0) remedies.push(name);
    else leftOut.push(whyLeftOut(name, more));
  }
  if (remedies.length === 0) return { figures: [], methods: [], seeds: results.seeds, leftOut };
  const measured = evaluations["naive"]![0]!.figures;
  const groups = meansGroup in measured ? [meansGroup] : Object.keys(measured);
  const figures = groups.flatMap((group) => Object.keys(measured[group]!).map((name) => ({ group, name })));
  const hasDCR = config.methods.map(methodLabel).includes("dcr");
  const row = (method: string): RemedyRow => {
    const share = results.conflict.find((conflict) => conflict.method === method)?.negativeShare;
    return {
      method,
      isRemedy: remedies.includes(method),
      // The two losses of dcr are others, and share no cosine with naive's.
      ...(share !== undefined && method !== "dcr" && { negativeShare: share }),
      values: figures.map((figure) => ({
        value: spread(evaluations[method]!.map((each) => each.figures[figure.group]![figure.name]!)),
        ...(method !== "naive" && { fromNaive: difference(findings, figure, { from: "naive", to: method }) }),
        ...(hasDCR &&
          method !== "dcr" && { fromDCR: difference(findings, figure, { from: "dcr", to: method }) }),
      })),
    };
  };
  return {
    figures,
    methods: ["naive", ...remedies, ...(hasDCR ? ["dcr"] : [])].map(row),
    seeds: results.seeds,
    leftOut,
  };
}

/** A sentence on a remedy that differs from naive in these other settings, or has no naive beside it. */
function whyLeftOut(name: string, settings: readonly string[]): string {
  if (settings.length === 0)
    return `${name} is not compared: the run has no method naive that adds its two gradients.`;
  return `${name} is not compared: it differs from naive in ${settings.join(", ")} too, not only in the aggregator.`;
}

/** The settings beside the aggregator in which two methods differ, such as `enhance.learningRate`. */
function settingsApart(one: RunConfig, other: RunConfig): string[] {
  const apart = (a: unknown, b: unknown, path: string): string[] => {
    if (path === "aggregator" || isDeepStrictEqual(a, b)) return [];
    if (!isPlain(a) || !isPlain(b)) return [path];
    const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
    return keys.flatMap((key) => apart(a[key], b[key], path === "" ? key : `${path}.${key}`));
  };
  return apart(one, other, "");
}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const percent = (share: number) => (100 * share).toFixed(1);
const shown = ({ mean, interval }: Difference) =>
  interval ? `${signed(mean)}, ${signed(interval[0])} to ${signed(interval[1])}` : signed(mean);

/** How a remedy stands to another method in one figure, as far as the interval tells. */
function standing(change: Difference, other: string): string {
  const [low, high] = change.interval ?? [-Infinity, Infinity];
  const place = low > 0 ? "above" : high < 0 ? "below" : "no clear difference from";
  return `${place} ${other}'s (${shown(change)})`;
}

/** A sentence on each remedy: against `naive`, against `dcr`, and the share of negative cosines before and after. */
export function remedyLines({ figures, methods }: Remedies): string[] {
  const [naive] = methods;
  return methods
    .filter((row) => row.isRemedy)
    .map(({ method, values, negativeShare }) => {
      const parts = values.map(({ fromNaive, fromDCR }, i) => {
        const others = [standing(fromNaive!, "naive"), ...(fromDCR ? [standing(fromDCR, "dcr")] : [])];
        return `${figures[i]!.name}: ${others.join(", ")}`;
      });
      if (naive!.negativeShare !== undefined && negativeShare !== undefined) {
        const shares = `${percent(naive!.negativeShare)} % of naive's steps and in ${percent(negativeShare)} % of its own`;
        parts.push(`the gradients' cosine is negative in ${shares}`);
      }
      return `${method}: ${parts.join("; ")}.`;
    });
}

/** The section of the report. */
export function remedySection(remedies: Remedies): { title: string; html: string } {
  const title = "Remedies for the conflict";
  const left = remedies.leftOut.map((line) => `<p>${escapeMarkup(line)}</p>`).join("\n");
  if (remedies.methods.length === 0) return { title, html: left };
  return { title, html: `${remedyTable(remedies)}\n${left}` };
}

function remedyTable(remedies: Remedies): string {
  const { figures, methods, seeds } = remedies;
  const hasDCR = methods.some(({ method }) => method === "dcr");
  const against = ["naive", ...(hasDCR ? ["dcr"] : [])];
  const heads = figures.map(({ name }) => `<th colspan="${1 + against.length}">${escapeMarkup(name)}</th>`);
  const titles = figures.map(() =>
    ["", ...against.map((other) => `against ${other}`)].map((text) => `<th>${text}</th>`).join(""),
  );
  const cell = (text: string) => `<td>${text}</td>`;
  const rows = methods.map(({ method, values, negativeShare }) => {
    const cells = values.flatMap(({ value, fromNaive, fromDCR }) => [
      cell(`${percent(value.mean)}${seeds.length > 1 ? ` <small>± ${percent(value.std)}</small>` : ""}`),
      ...[fromNaive, fromDCR].slice(0, against.length).map((each) => cell(each ? shown(each) : "")),
    ]);
    const share = cell(negativeShare === undefined ? "" : percent(negativeShare));
    return `<tr><th>${escapeMarkup(method)}</th>${cells.join("")}${share}</tr>`;
  });
  return `<p>Does a remedy for the conflict of naive's two gradients do what dcr's one loss does? In percent, and differences in percent points with 95 % intervals
(${basisOf(seeds)}). The last column is the share of steps in which the cosine of the two losses' gradients is negative, without the remedy and with it.</p>
<ul>${remedyLines(remedies)
    .map((line) => `<li>${escapeMarkup(line)}</li>`)
    .join("")}</ul>
<table><thead><tr><th></th>${heads.join("")}<th></th></tr><tr><th></th>${titles.join("")}<th>negative cosines</th></tr></thead>
<tbody>${rows.join("")}</tbody></table>`;
}
