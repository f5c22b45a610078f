import { escapeMarkup } from "../shared/escape-markup.js";

/** A point of a figure, in percent. */
export interface FigurePoint {
  label: string;
  /** The group that colours it. */
  method: string;
  x: { mean: number; std: number };
  y: { mean: number; std: number };
}

/** Okabe and Ito's colours, which colour-blind readers tell apart; those of the command's report. */
const colors: Record<string, string> = {
  original: "#555555",
  rec: "#0072b2",
  con: "#e69f00",
  naive: "#d55e00",
  dcr: "#009e73",
};

const [width, height] = [800, 480];
/** The right one holds the labels. */
const margin = { left: 60, right: 190, top: 40, bottom: 50 };
const lineHeight = 13;

/** Points with bars of one standard deviation, as SVG text. Their labels stand in a column beside the axes, and lines lead to them. */
export function scatterFigure(
  title: string,
  { x, y, points }: { x: string; y: string; points: readonly FigurePoint[] },
): string {
  const scale = (values: number[], [from, to]: [number, number]) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const room = 0.08 * Math.max(high - low, 0.5);
    const span = high - low + 2 * room;
    return {
      at: (value: number) => from + ((value - low + room) / span) * (to - from),
      ticks: ticksBetween(low - room, high + room),
    };
  };
  const ends = (key: "x" | "y") =>
    points.flatMap((point) => [point[key].mean - point[key].std, point[key].mean + point[key].std]);
  const across = scale(ends("x"), [margin.left, width - margin.right]);
  const up = scale(ends("y"), [height - margin.bottom, margin.top]);
  const [bottom, right] = [height - margin.bottom, width - margin.right];
  const number = (value: number) => value.toFixed(1);
  const line = (x1: number, y1: number, x2: number, y2: number, rest: string) =>
    `<line x1="${number(x1)}" y1="${number(y1)}" x2="${number(x2)}" y2="${number(y2)}" ${rest}/>`;
  const text = (at: [number, number], content: string, rest = "") =>
    `<text x="${number(at[0])}" y="${number(at[1])}" ${rest}>${escapeMarkup(content)}</text>`;
  const parts = [
    text([margin.left, 20], title, 'font-size="12" font-weight="bold"'),
    ...across.ticks.flatMap((tick) => [
      line(across.at(tick), margin.top, across.at(tick), bottom, 'stroke="#eee"'),
      text([across.at(tick), bottom + 16], number(tick), 'text-anchor="middle"'),
    ]),
    ...up.ticks.flatMap((tick) => [
      line(margin.left, up.at(tick), right, up.at(tick), 'stroke="#eee"'),
      text([margin.left - 6, up.at(tick) + 4], number(tick), 'text-anchor="end"'),
    ]),
    text([(margin.left + right) / 2, height - 12], `${x}, %`, 'text-anchor="middle"'),
    text(
      [16, (margin.top + bottom) / 2],
      `${y}, %`,
      `text-anchor="middle" transform="rotate(-90 16 ${(margin.top + bottom) / 2})"`,
    ),
  ];
  const sorted = [...points].sort((a, b) => b.y.mean - a.y.mean);
  const labelsAt = spread(
    sorted.map((point) => up.at(point.y.mean)),
    bottom,
  );
  for (const [i, point] of sorted.entries()) {
    const color = colors[point.method] ?? "#333333";
    const [px, py] = [across.at(point.x.mean), up.at(point.y.mean)];
    const bar = `stroke="${color}" stroke-opacity="0.5"`;
    parts.push(
      line(px + 5, py, right + 16, labelsAt[i], `stroke="${color}" stroke-opacity="0.25"`),
      line(across.at(point.x.mean - point.x.std), py, across.at(point.x.mean + point.x.std), py, bar),
      line(px, up.at(point.y.mean - point.y.std), px, up.at(point.y.mean + point.y.std), bar),
      `<circle cx="${number(px)}" cy="${number(py)}" r="4" fill="${color}"/>`,
      text([right + 20, labelsAt[i] + 4], point.label, `fill="${color}"`),
    );
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="11">
<title>${escapeMarkup(title)}</title>
<rect width="${width}" height="${height}" fill="#fff"/>
${parts.join("\n")}
</svg>
`;
}

/** Five or so round numbers in a range. */
function ticksBetween(low: number, high: number): number[] {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough)!;
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => (first + i) * step);
}

/** Heights of labels, a line apart at least, near ascending heights and above the bottom. */
function spread(wanted: readonly number[], bottom: number): number[] {
  const heights = [...wanted];
  for (let i = 1; i < heights.length; i++) heights[i] = Math.max(heights[i], heights[i - 1] + lineHeight);
  let limit = bottom;
  for (let i = heights.length - 1; i >= 0; i--) {
    heights[i] = Math.min(heights[i], limit);
    limit = heights[i] - lineHeight;
  }
  return heights;
}
