import { summarizeCosines } from "../measure/summarize-cosines.js";
import { type ConflictRecord, checkConflictRecord } from "../record/conflict-record.js";
import type { ConflictSummary } from "../record/conflict-recorder.js";
import { checkNumber, checkOptions, describe } from "../shared/check-options.js";
import { escapeMarkup } from "../shared/escape-markup.js";
import { cosineCells, cosineHistogram, cosineLines, figure } from "./svg.js";

export interface ConflictReportOptions {
  /** Default "Gradient conflict". */
  title?: string;
  /** Steps of the moving window of the rates, at least 1. Default 100. */
  window?: number;
}

/** Pairs that are drawn; the tables have all of them. */
const drawnPairs = 8;
/** Points of a line, and columns of a heat map; more steps are averaged. */
const [mostPoints, mostColumns] = [360, 120];

/**
 * A run's gradient conflict as one self-contained HTML page: cosine over time, histogram, layers by steps, the matrix of all pairs, and a table of
 * conflict rates. It follows the reader's light or dark scheme and loads nothing.
 *
 * @param records of the run's steps, as `parseJsonLines` gives them
 * @returns the page's text
 * @throws when there is no record, or one is broken, with its number
 *
 * @example
 * await writeFile("conflict.html", conflictReport(parseJsonLines(await readFile("conflict.jsonl", "utf8"))));
 */
export function conflictReport(
  records: readonly ConflictRecord[],
  options: ConflictReportOptions = {},
): string {
  const { title = "Gradient conflict", window = 100 } = checkOptions<ConflictReportOptions>(
    "conflictReport",
    options,
    { title: true, window: true },
  );
  if (typeof title !== "string")
    throw new TypeError(`conflictReport: title must be a text, got ${describe(title)}`);
  checkNumber("conflictReport: window", window, { min: 1, integer: true });
  if (!Array.isArray(records) || records.length === 0) {
    throw new Error(
      `conflictReport: records must be an array of at least one record, got ${describe(records)}`,
    );
  }
  const sorted = records
    .map((record, i) => checkConflictRecord(`conflictReport: records[${i}]`, record))
    .sort((a, b) => a.step - b.step);
  const cosines = cosinesOf(sorted);
  const rows = Array.from(cosines, ([key, points]) => summaryOf(key, points, window));
  const whole = rows.filter(({ group }) => group === undefined);
  if (whole.length === 0) throw new Error("conflictReport: the records have no pair of losses");
  const drawn = [...whole].sort((a, b) => b.negativeShare - a.negativeShare).slice(0, drawnPairs);
  const of = (losses: readonly string[], group?: string) => cosines.get(keyOf(losses, group)) ?? [];

  const sections = [
    section("Cosine over time", [
      cosineLines(
        "Cosine over time",
        drawn.map(({ losses }) => ({ points: averaged(of(losses), mostPoints) })),
      ),
      legend(drawn.map(({ losses }) => pairName(losses))),
      ...(whole.length > drawn.length
        ? [`<p>The ${drawn.length} of ${whole.length} pairs that conflict most.</p>`]
        : []),
    ]),
    section("Histogram", [
      cosineHistogram(
        "Histogram of cosines",
        whole.flatMap(({ losses }) => of(losses).map(([, cosine]) => cosine)),
      ),
      "<p>Cosines of all pairs at all steps. Below 0 two losses conflict.</p>",
    ]),
    ...drawn.flatMap(({ losses }) => {
      const groups = rows.flatMap(({ losses: own, group }) =>
        group !== undefined && pairName(own) === pairName(losses) ? [group] : [],
      );
      if (groups.length === 0) return [];
      return [section(`Layers: ${pairName(losses)}`, [heatMap(losses, groups, of)])];
    }),
    section("Pairs", [pairMatrix(whole)]),
    section("Rates", [table(rows, window)]),
  ];
  const last = sorted[sorted.length - 1].step;
  const about = `${sorted.length} steps, ${sorted[0].step} to ${last}; ${whole.length} pair${whole.length > 1 ? "s" : ""} of losses`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<title>${escapeMarkup(title)}</title><style>${style}</style></head>
<body><h1>${escapeMarkup(title)}</h1><p>${about}</p>
${sections.join("\n")}
</body></html>
`;
}

type Points = [step: number, cosine: number][];

const keyOf = (losses: readonly string[], group?: string) => JSON.stringify([...losses, group ?? null]);
const pairName = (losses: readonly string[]) => losses.join(" and ");

/** The cosines of each pair, and of each pair and group, by step. */
function cosinesOf(records: readonly ConflictRecord[]): Map<string, Points> {
  const cosines = new Map<string, Points>();
  for (const { step, conflict } of records) {
    const all = [[undefined, conflict] as const, ...Object.entries(conflict.groups ?? {})];
    for (const [group, { pairs }] of all) {
      for (const { losses, cosine } of pairs) {
        const key = keyOf(losses, group);
        const points = cosines.get(key) ?? [];
        points.push([step, cosine]);
        cosines.set(key, points);
      }
    }
  }
  return cosines;
}

/** As a recorder of all steps would be summarised. */
function summaryOf(key: string, points: Points, window: number): ConflictSummary {
  const [a, b, group] = JSON.parse(key) as [string, string, string | null];
  const all = points.map(([, cosine]) => cosine);
  const recent = all.slice(-window);
  return {
    losses: [a, b],
    ...(group !== null && { group }),
    steps: all.length,
    ...summarizeCosines(all),
    recent: { steps: recent.length, ...summarizeCosines(recent) },
  };
}

/** At most this many points, each the mean of as many neighbours as it takes. */
function averaged(points: Points, most: number): Points {
  const size = Math.ceil(points.length / most);
  if (size <= 1) return points;
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i) => {
    const part = points.slice(i * size, (i + 1) * size);
    return [part[0][0], part.reduce((sum, [, cosine]) => sum + cosine, 0) / part.length];
  });
}

function heatMap(
  losses: readonly string[],
  groups: readonly string[],
  of: (losses: readonly string[], group?: string) => Points,
): string {
  const all = groups.map((group) => of(losses, group));
  const steps = [...new Set(all.flatMap((points) => points.map(([step]) => step)))].sort((a, b) => a - b);
  const size = Math.ceil(steps.length / mostColumns);
  const column = new Map(steps.map((step, i) => [step, Math.floor(i / size)]));
  const columns = Array.from({ length: Math.ceil(steps.length / size) }, (_, i) => `step ${steps[i * size]}`);
  const cells = all.map((points) => {
    const sums = columns.map(() => ({ sum: 0, count: 0 }));
    for (const [step, cosine] of points) {
      const at = sums[column.get(step)!];
      at.sum += cosine;
      at.count++;
    }
    return sums.map(({ sum, count }) => (count > 0 ? sum / count : undefined));
  });
  return cosineCells(`Cosine by layer and step, ${pairName(losses)}`, groups, {
    columns,
    cell: (i, j) => cells[i][j],
    wide: true,
  });
}

/** Mean cosines of all pairs. */
function pairMatrix(rows: readonly ConflictSummary[]): string {
  const names = [...new Set(rows.flatMap(({ losses }) => losses))];
  const means = new Map(rows.map(({ losses, meanCosine }) => [keyOf(losses), meanCosine]));
  return cosineCells("Mean cosine of each pair", names, {
    columns: names,
    cell: (i, j) => means.get(keyOf([names[i], names[j]])) ?? means.get(keyOf([names[j], names[i]])),
    wide: false,
  });
}

function legend(names: readonly string[]): string {
  const items = names.map(
    (name, i) => `<span class="key" style="--c:var(--line${i % 8})">${escapeMarkup(name)}</span>`,
  );
  return `<p>${items.join(" ")}</p>`;
}

function table(rows: readonly ConflictSummary[], window: number): string {
  const head = [
    "losses",
    "layers",
    "steps",
    "conflict rate",
    "mean cosine",
    `rate, last ${window}`,
    `cosine, last ${window}`,
  ];
  const body = rows.map(({ losses, group, steps, negativeShare, meanCosine, recent }) => {
    const cells = [
      pairName(losses),
      group ?? "all",
      String(steps),
      `${figure(100 * negativeShare)} %`,
      figure(meanCosine),
      `${figure(100 * recent.negativeShare)} %`,
      figure(recent.meanCosine),
    ];
    return `<tr>${cells.map((cell) => `<td>${escapeMarkup(cell)}</td>`).join("")}</tr>`;
  });
  return `<div class="scroll"><table><thead><tr>${head.map((cell) => `<th>${cell}</th>`).join("")}</tr></thead><tbody>${body.join("")}</tbody></table></div>`;
}

function section(title: string, parts: readonly string[]): string {
  return `<section><h2>${escapeMarkup(title)}</h2>${parts.join("")}</section>`;
}

const style = `
:root{--page:#fff;--text:#1b1f24;--soft:#6a737d;--rule:#d9dee3;--with:#2166ac;--against:#c0392b;--line0:#2166ac;--line1:#c0392b;--line2:#1b7f4b;--line3:#8e5bb5;--line4:#b8770b;--line5:#0b8a99;--line6:#b03a78;--line7:#6b6f1d}
@media (prefers-color-scheme:dark){:root{--page:#14171a;--text:#e6e9ec;--soft:#98a2ad;--rule:#343a41;--with:#5aa2e0;--against:#ee7063;--line0:#5aa2e0;--line1:#ee7063;--line2:#57c28a;--line3:#bb93dd;--line4:#e0ab4a;--line5:#4cc3d0;--line6:#e27fb1;--line7:#b9be5c}}
body{margin:2rem auto;max-width:760px;padding:0 1rem;background:var(--page);color:var(--text);font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}
svg{display:block;width:100%;font:11px system-ui,sans-serif}svg text{fill:var(--text)}
.grid,.axis{stroke:var(--rule);fill:none}.axis{stroke:var(--soft)}
.line{fill:none;stroke:var(--c);stroke-width:1.5}.dot{fill:var(--c)}
.with{fill:var(--with)}.against{fill:var(--against)}
.key{display:inline-block;margin-right:1rem}.key::before{content:"";display:inline-block;width:1em;height:.25em;margin-right:.4em;vertical-align:middle;background:var(--c)}
.scroll{overflow-x:auto}table{border-collapse:collapse}th,td{padding:.25rem .75rem .25rem 0;border-bottom:1px solid var(--rule);text-align:left;font-variant-numeric:tabular-nums}th{color:var(--soft);font-weight:normal}
`;
