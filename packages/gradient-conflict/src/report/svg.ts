import { escapeMarkup } from "../shared/escape-markup.js";

/** A number with at most three digits after the point. */
export function figure(value: number): string {
  return String(Number(value.toFixed(3)));
}

/** Room of a chart around its plot, in pixels. */
const margin = { left: 48, right: 12, top: 8, bottom: 24 };

/** A drawing that scales with the page, with a title for screen readers. */
function svg(title: string, [width, height]: [number, number], content: string): string {
  return `<svg viewBox="0 0 ${width} ${height}" style="max-width:${width}px" role="img"><title>${escapeMarkup(title)}</title>${content}</svg>`;
}

function label(text: string, [x, y]: [number, number], anchor: "start" | "middle" | "end"): string {
  return `<text x="${figure(x)}" y="${figure(y)}" text-anchor="${anchor}">${escapeMarkup(text)}</text>`;
}

/** Lines over steps, of values between -1 and 1. */
export function cosineLines(
  title: string,
  lines: readonly { points: readonly [number, number][] }[],
): string {
  const [width, height] = [720, 220];
  const steps = lines.flatMap(({ points }) => points.map(([step]) => step));
  const [first, last] = [Math.min(...steps), Math.max(...steps)];
  const plotWidth = width - margin.left - margin.right;
  const plotHeight = height - margin.top - margin.bottom;
  const x = (step: number) =>
    margin.left + (last > first ? (step - first) / (last - first) : 0.5) * plotWidth;
  const y = (value: number) => margin.top + ((1 - value) / 2) * plotHeight;
  const grid = [-1, -0.5, 0, 0.5, 1].map(
    (value) =>
      `<path class="${value === 0 ? "axis" : "grid"}" d="M${margin.left} ${figure(y(value))}H${width - margin.right}"/>` +
      label(String(value), [margin.left - 6, y(value) + 4], "end"),
  );
  const drawn = lines.map(({ points }, i) => {
    const colour = `style="--c:var(--line${i % 8})"`;
    if (points.length === 1) {
      return `<circle class="dot" ${colour} cx="${figure(x(points[0][0]))}" cy="${figure(y(points[0][1]))}" r="3"/>`;
    }
    const path = points.map(([step, value]) => `${figure(x(step))} ${figure(y(value))}`).join("L");
    return `<path class="line" ${colour} d="M${path}"/>`;
  });
  const ends =
    label(`step ${first}`, [margin.left, height - 6], "start") +
    (last > first ? label(`step ${last}`, [width - margin.right, height - 6], "end") : "");
  return svg(title, [width, height], grid.join("") + drawn.join("") + ends);
}

/** How many cosines fall into each of 20 equal parts of [-1, 1]; the negative ones are coloured as conflict. */
export function cosineHistogram(title: string, cosines: readonly number[]): string {
  const [width, height, parts] = [720, 160, 20];
  const counts = new Array<number>(parts).fill(0);
  for (const cosine of cosines) counts[Math.min(parts - 1, Math.floor(((cosine + 1) / 2) * parts))]++;
  const most = Math.max(...counts, 1);
  const barWidth = (width - margin.left - margin.right) / parts;
  const plotHeight = height - margin.top - margin.bottom;
  const bars = counts.map((count, i) => {
    const tall = (count / most) * plotHeight;
    const from = -1 + (2 * i) / parts;
    const range = `${figure(from)} to ${figure(from + 2 / parts)}: ${count}`;
    return `<rect class="${i < parts / 2 ? "against" : "with"}" x="${figure(margin.left + i * barWidth)}" y="${figure(margin.top + plotHeight - tall)}" width="${figure(barWidth - 1)}" height="${figure(tall)}"><title>${range}</title></rect>`;
  });
  const ticks = [-1, -0.5, 0, 0.5, 1].map((value) =>
    label(String(value), [margin.left + ((value + 1) / 2) * parts * barWidth, height - 6], "middle"),
  );
  const top = label(String(most), [margin.left - 6, margin.top + 10], "end");
  return svg(title, [width, height], bars.join("") + ticks.join("") + top);
}

/** Cells of cosines with names of rows, and of columns where they are few; empty where there is none. */
export function cosineCells(
  title: string,
  rows: readonly string[],
  options: {
    columns: readonly string[];
    cell: (row: number, column: number) => number | undefined;
    wide: boolean;
  },
): string {
  const { columns, cell, wide } = options;
  const longest = Math.max(...rows.map((row) => Math.min(row.length, 40)));
  const left = Math.max(margin.left, longest * 7 + 10);
  const cellWidth = wide ? Math.max(2, (720 - left - margin.right) / columns.length) : 56;
  const cellHeight = wide ? 18 : 32;
  const width = left + cellWidth * columns.length + margin.right;
  const height = margin.top + cellHeight * rows.length + margin.bottom;
  const parts: string[] = [];
  for (const [i, row] of rows.entries()) {
    const shown = row.length > 40 ? `${row.slice(0, 37)}...` : row;
    const middle = margin.top + (i + 0.5) * cellHeight;
    parts.push(label(shown, [left - 6, middle + 4], "end"));
    for (const [j, column] of columns.entries()) {
      const value = cell(i, j);
      if (value === undefined) continue;
      const [x, y] = [left + j * cellWidth, margin.top + i * cellHeight];
      const told = escapeMarkup(`${row}, ${column}: ${figure(value)}`);
      parts.push(
        `<rect class="${value < 0 ? "against" : "with"}" fill-opacity="${figure(Math.abs(value))}" x="${figure(x)}" y="${figure(y)}" width="${figure(wide ? cellWidth + 0.3 : cellWidth - 2)}" height="${cellHeight - (wide ? 1 : 2)}"><title>${told}</title></rect>`,
      );
      if (!wide) parts.push(label(value.toFixed(2), [x + cellWidth / 2, y + cellHeight / 2 + 3], "middle"));
    }
  }
  const named = wide
    ? [0, columns.length - 1].filter((j, i, all) => i === 0 || j !== all[0])
    : columns.map((_, j) => j);
  for (const j of named) {
    const anchor = !wide ? "middle" : j === 0 ? "start" : "end";
    const x = left + cellWidth * (!wide ? j + 0.5 : j === 0 ? 0 : columns.length);
    const shown = !wide && columns[j].length > 8 ? `${columns[j].slice(0, 7)}…` : columns[j];
    parts.push(label(shown, [x, height - 6], anchor));
  }
  return svg(title, [Math.ceil(width), height], parts.join(""));
}
