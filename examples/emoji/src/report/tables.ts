import type { MethodName } from "../run/config.js";
import { type FigureName, type Results, type Spread, standsOut } from "../run/results.js";

/** What the two losses of a method are, for those that have two. */
export const lossPairs: Record<string, string> = {
  naive: "contrastive against reconstruction",
  dcr: "augmented positive against target positive",
};

const percent = (value: number) => (100 * value).toFixed(1);
const signed = (value: number) => {
  const size = percent(Math.abs(value));
  if (size === "0.0") return size;
  return `${value < 0 ? "−" : "+"}${size}`;
};

const groups: [string, [FigureName, string][]][] = [
  [
    "D-Ability",
    [
      ["nmi", "NMI"],
      ["acc", "ACC"],
      ["ari", "ARI"],
      ["knn", "kNN"],
    ],
  ],
  [
    "P-Ability",
    [
      ["text", "text"],
      ["image", "image"],
    ],
  ],
  [
    "retention",
    [
      ["imageToText", "image to text R@1"],
      ["crossStyle", "cross-style R@1"],
    ],
  ],
];
const summary: [string, [FigureName, string][]][] = [
  [
    "means",
    [
      ["D", "D"],
      ["P", "P"],
      ["both", "both"],
    ],
  ],
];

function table(results: Results, columns: typeof groups): string {
  const several = results.seeds.length > 1;
  const spread = ({ std }: Spread) => (several ? ` <small>± ${percent(std)}</small>` : "");
  const rows = (Object.keys(results.table) as MethodName[]).map((method) => {
    const cells = columns.flatMap(([, figures]) =>
      figures.map(([name]) => {
        const value = results.table[method]![name];
        const change = results.changes[method]?.[name];
        const shade = !change || !standsOut(change, results.seeds) ? "same" : change.mean < 0 ? "down" : "up";
        const line = change ? `<div class="${shade}">${signed(change.mean)}${spread(change)}</div>` : "";
        return `<td>${percent(value.mean)}${spread(value)}${line}</td>`;
      }),
    );
    return `<tr><th>${method}</th>${cells.join("")}</tr>`;
  });
  const heads = columns.map(([title, figures]) => `<th colspan="${figures.length}">${title}</th>`);
  const titles = columns.flatMap(([, figures]) => figures.map(([, title]) => `<th>${title}</th>`));
  return (
    `<table><thead><tr><th></th>${heads.join("")}</tr><tr><th></th>${titles.join("")}</tr></thead>` +
    `<tbody>${rows.join("")}</tbody></table>`
  );
}

/** Every figure of every method, with the change against `original`. */
export function scoreTable(results: Results): string {
  return table(results, groups);
}

/** D (mean of its four figures), P (mean of its two) and the mean of the two, and what they come to in words. */
export function verdict(results: Results): string {
  const ranked = (Object.keys(results.table) as MethodName[]).sort(
    (a, b) => results.table[b]!.both.mean - results.table[a]!.both.mean,
  );
  const against = (method: MethodName) => {
    const change = results.changes[method]?.both;
    if (!change) return "";
    const size = `${signed(change.mean)} points against original`;
    if (results.seeds.length === 1) return `, ${size}; one seed shows no spread, so this is no conclusion`;
    return `, ${size}, ${standsOut(change, results.seeds) ? "more than" : "within"} the spread of ±${percent(change.std)} over seeds`;
  };
  const [best] = ranked;
  const first =
    best === "original"
      ? "<b>original</b> is best: no method raised the mean of D and P."
      : `<b>${best}</b> is best in the mean of D and P${against(best)}.`;
  const other = ranked.includes("dcr") && best !== "dcr" ? ` <b>dcr</b> is not best${against("dcr")}.` : "";
  return `<p>${first}${other}</p>${table(results, summary)}`;
}

/** How often the two losses' gradients conflict, and how long they are. */
export function conflictLines(results: Results): string {
  const lines = Object.entries(results.conflict).map(
    ([method, { negativeShare, meanCosine, steps, meanNorms }]) => {
      const norms = Object.entries(meanNorms).map(([loss, norm]) => `${loss} ${norm.toPrecision(2)}`);
      return (
        `<li><b>${method}</b>, ${lossPairs[method]}: negative in ${percent(negativeShare)} % of ${steps} steps, mean cosine ` +
        `${meanCosine.toFixed(3)}; mean norms of the gradients: ${norms.join(", ")}</li>`
      );
    },
  );
  return `<ul>${lines.join("")}</ul>`;
}
