import { colorScale, draw } from "./charts.js";
import type { TradeOff } from "./trade-off.js";

const [width, height] = [560, 420];
/** Pixels from one label's line to the next. */
const lineHeight = 15;
/** Corners of an ellipse. */
const corners = 64;

/** Two figures against each other, in percent, with an arrow from `original` to each method and an ellipse for its spread, as SVG text. */
export function tradeOffChart({ x, y, methods, spreadOf }: TradeOff): Promise<string> {
  const points = methods.map((point) => ({
    method: point.method,
    x: 100 * point.x.mean,
    y: 100 * point.y.mean,
    rx: 100 * point.x.spread,
    ry: 100 * point.y.spread,
  }));
  const scales = {
    x: domainOf(points.map((point) => [point.x - point.rx, point.x + point.rx])),
    y: domainOf(points.map((point) => [point.y - point.ry, point.y + point.ry])),
  };
  const perPixel = {
    x: (scales.x[1] - scales.x[0]) / width,
    y: (scales.y[1] - scales.y[0]) / height,
  };
  const start = points.find(({ method }) => method === "original")!;
  const arrows = points
    .filter((point) => point !== start)
    .map((point) => {
      const [right, up] = [(point.x - start.x) / perPixel.x, (point.y - start.y) / perPixel.y];
      return { ...point, x0: start.x, y0: start.y, angle: (Math.atan2(right, up) * 180) / Math.PI };
    });
  const ellipses = points
    .filter(({ rx, ry }) => rx > 0 || ry > 0)
    .flatMap(({ method, x: cx, y: cy, rx, ry }) =>
      Array.from({ length: corners }, (_, corner) => {
        const turn = (2 * Math.PI * corner) / corners;
        return { method, corner, x: cx + rx * Math.cos(turn), y: cy + ry * Math.sin(turn) };
      }),
    );
  const channel = (field: string, domain: [number, number], title: string) =>
    ({ field, type: "quantitative", title, scale: { domain, zero: false, nice: false } }) as const;
  const position = {
    x: channel("x", scales.x, `${x}, %`),
    y: channel("y", scales.y, `${y}, %`),
  };
  const scale = colorScale(methods.map(({ method }) => method));
  const color = { field: "method", type: "nominal", scale, legend: null } as const;
  const note =
    spreadOf === "seeds"
      ? "ellipses: one standard deviation over the seeds"
      : "ellipses: one standard error of the evaluation, where it is known; one seed";
  return draw({
    title: [`${y} against ${x}`, note] as never,
    width,
    height,
    layer: [
      {
        data: { values: ellipses },
        mark: { type: "line", interpolate: "linear-closed", strokeWidth: 1, fillOpacity: 0.15 },
        encoding: { ...position, color, fill: color, order: { field: "corner", type: "quantitative" } },
      },
      {
        data: { values: arrows },
        mark: { type: "rule", strokeWidth: 2 },
        encoding: {
          x: channel("x0", scales.x, `${x}, %`),
          y: channel("y0", scales.y, `${y}, %`),
          x2: { field: "x" },
          y2: { field: "y" },
          color,
        },
      },
      {
        data: { values: arrows },
        mark: { type: "point", shape: "triangle-up", filled: true, size: 110, opacity: 1 },
        encoding: { ...position, color, angle: { field: "angle", type: "quantitative", scale: null } },
      },
      {
        data: { values: [start] },
        mark: { type: "point", shape: "circle", filled: true, size: 80, opacity: 1 },
        encoding: { ...position, color },
      },
      {
        data: { values: labels(points, perPixel) },
        mark: { type: "text", align: "left", baseline: "middle", fontSize: 12, fontWeight: "bold" },
        encoding: { ...position, color, text: { field: "method" } },
      },
    ],
  });
}

/** A range around all values, with room on its right for labels. */
function domainOf(ranges: readonly [number, number][]): [number, number] {
  const [low, high] = [Math.min(...ranges.flat()), Math.max(...ranges.flat())];
  const room = Math.max(high - low, 0.5);
  return [low - 0.12 * room, high + 0.25 * room];
}

/** Each method's name beside its point, moved up where it would cover another. */
function labels<P extends { x: number; y: number }>(
  points: readonly P[],
  perPixel: { x: number; y: number },
): P[] {
  let free = Number.NEGATIVE_INFINITY;
  return [...points]
    .sort((a, b) => a.y - b.y)
    .map((point) => {
      const y = Math.max(point.y, free);
      free = y + lineHeight * perPixel.y;
      return { ...point, x: point.x + 10 * perPixel.x, y };
    });
}
