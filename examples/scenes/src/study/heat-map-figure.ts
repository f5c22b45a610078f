import { escapeMarkup } from "../shared/escape-markup.js";

/** Values of one thing by row and column. */
export interface HeatMap {
  title: string;
  /** By row, then by column. */
  values: readonly (readonly { value: number; text: string }[])[];
}

const cell = { width: 92, height: 34 };
const margin = { left: 96, top: 64, between: 24, bottom: 20 };

/** Maps with the same rows and columns side by side, as SVG text; red below 0, blue above, deepest at `extreme`. */
export function heatMapFigure(
  title: string,
  given: {
    rows: readonly string[];
    columns: readonly string[];
    columnsTitle: string;
    maps: readonly HeatMap[];
    extreme: number;
  },
): string {
  const { rows, columns, columnsTitle, maps, extreme } = given;
  const across = columns.length * cell.width + margin.between;
  const width = margin.left + maps.length * across;
  const height = margin.top + rows.length * cell.height + margin.bottom;
  const text = (x: number, y: number, content: string, rest = "") =>
    `<text x="${x}" y="${y}" ${rest}>${escapeMarkup(content)}</text>`;
  const middle = 'text-anchor="middle"';
  const parts = [
    text(12, 18, title, 'font-size="14" font-weight="bold"'),
    ...rows.map((row, r) =>
      text(margin.left - 8, margin.top + (r + 0.6) * cell.height, row, 'text-anchor="end"'),
    ),
    ...maps.flatMap((map, m) => {
      const left = margin.left + m * across;
      const centre = (c: number) => left + (c + 0.5) * cell.width;
      return [
        text(left, 38, `${map.title}, by ${columnsTitle}`, 'font-weight="bold"'),
        ...columns.map((column, c) => text(centre(c), 56, column, middle)),
        ...map.values.flatMap((values, r) =>
          values.flatMap(({ value, text: label }, c) => {
            const top = margin.top + r * cell.height;
            return [
              `<rect x="${left + c * cell.width}" y="${top}" width="${cell.width - 1}" height="${cell.height - 1}" fill="${colorOf(value / extreme)}"/>`,
              text(centre(c), top + cell.height / 2 + 4, label, middle),
            ];
          }),
        ),
      ];
    }),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="11">
<title>${escapeMarkup(title)}</title>
<rect width="${width}" height="${height}" fill="#fff"/>
${parts.join("\n")}
</svg>
`;
}

/** White at 0; Okabe and Ito's vermilion at -1 and blue at 1, half mixed with white so that text stays readable. */
function colorOf(share: number): string {
  const strength = 0.6 * Math.min(Math.abs(share), 1);
  const full = share < 0 ? [0xd5, 0x5e, 0x00] : [0x00, 0x72, 0xb2];
  return `#${full
    .map((part) =>
      Math.round(255 + (part - 255) * strength)
        .toString(16)
        .padStart(2, "0"),
    )
    .join("")}`;
}
