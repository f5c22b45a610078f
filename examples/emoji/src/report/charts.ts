import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import type { MetricsRow } from "../run/metrics-file.js";

/** A chart as SVG text. */
async function draw(spec: TopLevelSpec): Promise<string> {
  const view = new View(parse(compile(spec).spec), { renderer: "none" });
  const svg = await view.toSVG();
  view.finalize();
  return svg;
}

const color = {
  field: "method",
  type: "nominal",
  scale: {
    domain: ["projector", "original", "rec", "con", "naive", "dcr"],
    range: ["#888888", "#555555", "#1b6ca8", "#e08e0b", "#b03a48", "#2a8c55"],
  },
  title: null,
} as const;

/** The loss of each method over its steps, one small chart each: losses of different methods share no scale. */
export function lossCurves(metrics: MetricsRow[]): Promise<string> {
  return draw({
    data: {
      values: metrics.map(({ method, step, loss, seed }) => ({ method, step, loss, seed: String(seed) })),
    },
    facet: {
      field: "method",
      type: "nominal",
      title: null,
      sort: ["projector", "rec", "con", "naive", "dcr"],
    },
    columns: 3,
    spec: {
      width: 240,
      height: 130,
      mark: { type: "line", strokeWidth: 1.2, opacity: 0.8 },
      encoding: {
        x: { field: "step", type: "quantitative", title: "step" },
        y: { field: "loss", type: "quantitative", title: "loss", scale: { zero: false } },
        color: { ...color, legend: null },
        detail: { field: "seed" },
      },
    },
    resolve: { scale: { x: "independent", y: "independent" } },
  });
}

/** Histogram of the cosines between the two losses' gradients, and their course. */
export function cosineCharts(metrics: MetricsRow[]): Promise<string> {
  const values = metrics.flatMap(({ method, step, cosine, seed }) =>
    cosine === undefined ? [] : [{ method, step, cosine, seed: String(seed) }],
  );
  return draw({
    data: { values },
    hconcat: [
      {
        width: 340,
        height: 180,
        mark: { type: "bar", opacity: 0.6 },
        encoding: {
          x: { field: "cosine", type: "quantitative", bin: { step: 0.1, extent: [-1, 1] }, title: "cosine" },
          y: { aggregate: "count", type: "quantitative", stack: null, title: "steps" },
          color,
        },
      },
      {
        width: 340,
        height: 180,
        layer: [
          { mark: { type: "rule", color: "#999" }, encoding: { y: { datum: 0 } } },
          {
            mark: { type: "line", strokeWidth: 1.2 },
            encoding: {
              x: { field: "step", type: "quantitative" },
              y: { field: "cosine", type: "quantitative", scale: { domain: [-1, 1] } },
              color,
              detail: { field: "seed" },
            },
          },
        ],
      },
    ],
  });
}

/** P-Ability image to image by pattern and method. */
export function patternChart(rows: { pattern: string; method: string; accuracy: number }[]): Promise<string> {
  return draw({
    data: { values: rows },
    width: 300,
    height: { step: 9 },
    mark: "bar",
    encoding: {
      y: { field: "pattern", type: "nominal", title: null, axis: { labelLimit: 400 } },
      yOffset: { field: "method", type: "nominal", sort: [...color.scale.domain] },
      x: { field: "accuracy", type: "quantitative", axis: { format: "%" }, title: "pairs right" },
      color,
    },
  });
}

/** Points of a map, coloured by class. */
export function mapChart(points: { x: number; y: number; label: number }[]): Promise<string> {
  return draw({
    data: { values: points },
    width: 260,
    height: 260,
    mark: { type: "circle", size: 18, opacity: 0.8 },
    encoding: {
      x: { field: "x", type: "quantitative", axis: null },
      y: { field: "y", type: "quantitative", axis: null },
      color: { field: "label", type: "nominal", legend: null, scale: { scheme: "tableau20" } },
    },
  });
}
