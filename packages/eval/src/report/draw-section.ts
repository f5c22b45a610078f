import { checkNumber, checkOptions, describe } from "../shared/check-options.js";
import { escapeMarkup } from "../shared/escape-markup.js";
import type {
  ConfusionSection,
  GalleryImage,
  GallerySection,
  PointsSection,
  Section,
  SharesSection,
  TableSection,
} from "./section.js";

/** What a section of each kind holds beside its title. */
const fieldsOf: Record<Section["kind"], Record<string, true>> = {
  table: { columns: true, rows: true },
  shares: { shares: true },
  // `{ kind, title, ...confusionMatrix(labels, predictions) }` has its shares too.
  confusion: { classes: true, counts: true, accuracy: true, meanPerClass: true },
  points: { points: true, labels: true },
  gallery: { rows: true },
};

/** A section as HTML. @throws where it is none, with the name */
export function drawSection(name: string, section: Section): string {
  const fields = Object.hasOwn(fieldsOf, section?.kind) ? fieldsOf[section.kind] : undefined;
  if (fields) checkOptions<object>(name, section, { kind: true, title: true, ...fields } as object);
  const title = `<h2>${escapeMarkup(String(section?.title ?? ""))}</h2>`;
  switch (section?.kind) {
    case "table":
      return title + table(name, section);
    case "shares":
      return title + shares(name, section);
    case "confusion":
      return title + confusion(name, section);
    case "points":
      return title + points(name, section);
    case "gallery":
      return title + gallery(name, section);
    default:
      throw new TypeError(
        `${name}: kind must be one of table, shares, confusion, points, gallery, got ${describe((section as { kind?: unknown })?.kind)}`,
      );
  }
}

const cell = (value: string | number): string =>
  escapeMarkup(typeof value === "string" || Number.isInteger(value) ? String(value) : figure(value));

/** Four digits, and all before the point: "1.235e+4" is hard to read. */
const figure = (value: number): string => (Math.abs(value) >= 1000 ? value.toFixed(1) : value.toPrecision(4));

/** The parts of a section, which come from outside: without types a wrong one would be found deep in a page. */
function checkList(name: string, value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new TypeError(`${name} must be a list, got ${describe(value)}`);
}

function checkCells(name: string, values: unknown): void {
  for (const [i, value] of checkList(name, values).entries()) {
    if (typeof value === "string" || typeof value === "number") continue;
    throw new TypeError(`${name}[${i}] must be a text or a number, got ${describe(value)}`);
  }
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

const cells = (tag: "th" | "td", values: readonly (string | number)[]): string =>
  `<tr>${values.map((value) => `<${tag}>${cell(value)}</${tag}>`).join("")}</tr>`;

function table(name: string, { columns, rows }: TableSection): string {
  checkCells(`${name}: columns`, columns);
  for (const [i, row] of checkList(`${name}: rows`, rows).entries()) checkCells(`${name}: rows[${i}]`, row);
  const wrong = rows.findIndex((row) => row.length !== columns.length);
  if (wrong >= 0) {
    throw new Error(
      `${name}: rows[${wrong}] must have ${columns.length} cells, one for each column, got ${rows[wrong].length}`,
    );
  }
  return `<table>${cells("th", columns)}${rows.map((row) => cells("td", row)).join("")}</table>`;
}

function shares(section: string, { shares: list }: SharesSection): string {
  for (const [i, share] of checkList(`${section}: shares`, list).entries()) {
    const { name, value, interval, count } = (share ?? {}) as Partial<SharesSection["shares"][number]>;
    const where = `${section}: shares[${i}]`;
    checkCells(where, [name, ...(count === undefined ? [] : [count])]);
    for (const number of [
      value,
      ...(interval === undefined ? [] : checkList(`${where}: interval`, interval)),
    ]) {
      if (typeof number !== "number")
        throw new TypeError(`${where} must have a value and an interval of numbers, got ${describe(number)}`);
    }
  }
  const rows = list.map(({ name, value, interval, count }) => [
    name,
    percent(value),
    interval ? interval.map(percent).join(" to ") : "",
    count ?? "",
  ]);
  return `<table>${cells("th", ["", "share", "interval", "count"])}${rows.map((row) => cells("td", row)).join("")}</table>`;
}

function confusion(name: string, { classes, counts }: ConfusionSection): string {
  checkCells(`${name}: classes`, classes);
  for (const [i, row] of checkList(`${name}: counts`, counts).entries())
    checkCells(`${name}: counts[${i}]`, row);
  if (counts.length !== classes.length || counts.some((row) => row.length !== classes.length)) {
    throw new Error(
      `${name}: counts must be ${classes.length} x ${classes.length}, one row and column for each class`,
    );
  }
  if (classes.length > mostClasses) return worstPairs({ classes, counts });
  const rows = classes.map((label, i) => {
    const sum = counts[i].reduce((a, b) => a + b, 0);
    const boxes = counts[i].map((count) => {
      const depth = sum > 0 ? count / sum : 0;
      return `<td style="background: rgb(31 119 180 / ${depth.toFixed(3)})">${cell(count)}</td>`;
    });
    return `<tr><th>${cell(label)}</th>${boxes.join("")}</tr>`;
  });
  return `<table class="confusion">${cells("th", ["label \\ prediction", ...classes])}${rows.join("")}</table>`;
}

/** A matrix of more classes is too large to be read: at 1000 classes the page would be 54 MB. */
const mostClasses = 100;
const mostPairs = 100;

/** The pairs of classes that were confused most often. */
function worstPairs({ classes, counts }: Pick<ConfusionSection, "classes" | "counts">): string {
  const pairs = counts.flatMap((row, i) =>
    row.map((count, j) => ({ i, j, count })).filter(({ j, count }) => j !== i && count > 0),
  );
  const worst = pairs.sort((a, b) => b.count - a.count).slice(0, mostPairs);
  const rows = worst.map(({ i, j, count }) => {
    const sum = counts[i].reduce((a, b) => a + b, 0);
    return [classes[i], classes[j], count, percent(count / sum)];
  });
  const shown = `The ${worst.length} most frequent of ${pairs.length} confusions of ${classes.length} classes.`;
  return `<p>${shown}</p><table>${cells("th", ["label", "prediction", "count", "share of the label"])}${rows.map((row) => cells("td", row)).join("")}</table>`;
}

function points(name: string, { points: list, labels }: PointsSection): string {
  checkList(`${name}: points`, list);
  if (labels !== undefined) checkCells(`${name}: labels`, labels);
  const bad = list.findIndex((point) => point?.length !== 2 || !point.every(Number.isFinite));
  if (bad >= 0) throw new Error(`${name}: points[${bad}] must be two finite numbers, got ${list[bad]}`);
  if (labels && labels.length !== list.length) {
    throw new Error(`${name}: labels must hold one for each of ${list.length} points, got ${labels.length}`);
  }
  const classes = [...new Set(labels ?? [])];
  const colour = (i: number) => `hsl(${Math.round((360 * i) / Math.max(1, classes.length))} 65% 45%)`;
  const range = (axis: 0 | 1) => {
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const point of list) [low, high] = [Math.min(low, point[axis]), Math.max(high, point[axis])];
    return (value: number) => (10 + (480 * (value - low)) / (high - low || 1)).toFixed(1);
  };
  const [x, y] = [range(0), range(1)];
  const circles = list.map((point, i) => {
    const label = labels?.[i];
    const name = label === undefined ? "" : `<title>${cell(label)}</title>`;
    const fill = label === undefined ? "#1f77b4" : colour(classes.indexOf(label));
    return `<circle cx="${x(point[0])}" cy="${y(point[1])}" r="3" fill="${fill}">${name}</circle>`;
  });
  const legend = classes.map(
    (label, i) => `<span style="color: ${colour(i)}">&#9679;</span> ${cell(label)} `,
  );
  return `<svg viewBox="0 0 500 500" width="500" height="500" role="img">${circles.join("")}</svg><p>${legend.join("")}</p>`;
}

function gallery(name: string, { rows }: GallerySection): string {
  const picture = (given: Partial<GalleryImage> | undefined, kind: string, where: string) => {
    const { image, caption } = given ?? {};
    if (typeof image !== "string" || !/^data:image\/[a-z+.-]+;base64,[A-Za-z0-9+/=]*$/.test(image)) {
      throw new Error(`${where} must have a base64 data:image URL, got ${describe(image)}`);
    }
    checkCells(where, [caption]);
    return `<figure class="${kind}"><img src="${image}" alt=""><figcaption>${cell(caption!)}</figcaption></figure>`;
  };
  const lines = checkList(`${name}: rows`, rows).map((row, i) => {
    const { query, neighbours } = (row ?? {}) as Partial<GallerySection["rows"][number]>;
    const where = `${name}: rows[${i}]`;
    const found = checkList(`${where}.neighbours`, neighbours).map((given, j) => {
      const one = (given ?? {}) as Partial<GallerySection["rows"][number]["neighbours"][number]>;
      checkNumber(`${where}.neighbours[${j}].similarity`, one.similarity);
      const caption = `${one.caption} ${one.similarity!.toFixed(3)}`;
      return picture(
        { image: one.image, caption },
        one.right ? "right" : "wrong",
        `${where}.neighbours[${j}]`,
      );
    });
    return `<div>${picture(query, "query", `${where}.query`)} &rarr; ${found.join("")}</div>`;
  });
  return lines.join("\n");
}
