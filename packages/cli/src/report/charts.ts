import { parse, View } from "vega";
import { type Config, compile, type TopLevelSpec } from "vega-lite";
import type { MetricsRow } from "../run/metrics-file.js";

/** Okabe and Ito's colours, which colour-blind readers tell apart. */
const ownColors: Record<string, string> = {
  "align-rec": "#bbbbbb",
  "align-dcr": "#888888",
  original: "#555555",
  rec: "#0072b2",
  con: "#e69f00",
  naive: "#d55e00",
  dcr: "#009e73",
};
/** The colours of methods that are a user's own. */
const otherColors = ["#cc79a7", "#56b4e9", "#7a5230", "#333333"];

const config: Config = {
  font: "system-ui, sans-serif",
  axis: { labelFontSize: 11, titleFontSize: 12, titleFontWeight: "normal", gridColor: "#eee" },
  legend: { labelFontSize: 11, labelLimit: 300, symbolOpacity: 1 },
  header: { labelFontSize: 12, labelFontWeight: "bold" },
  title: { fontSize: 12, anchor: "start" },
  view: { stroke: "#ddd" },
};

/** A chart as SVG text. */
export async function draw(spec: TopLevelSpec): Promise<string> {
  const view = new View(parse(compile({ ...spec, config } as TopLevelSpec).spec), { renderer: "none" });
  const svg = await view.toSVG();
  view.finalize();
  return svg;
}

/** Each method once, ours first. */
function order(methods: readonly string[]): string[] {
  const shown = [...new Set(methods)];
  const own = Object.keys(ownColors).filter((method) => shown.includes(method));
  return [...own, ...shown.filter((method) => !own.includes(method)).sort()];
}

/** The scale of the methods that a chart shows. */
export function colorScale(methods: readonly string[]) {
  const domain = order(methods);
  const others = domain.filter((method) => !(method in ownColors));
  const range = domain.map(
    (method) => ownColors[method] ?? otherColors[others.indexOf(method) % otherColors.length]!,
  );
  return { domain, range };
}

const steps = {
  field: "step",
  type: "quantitative",
  title: "step",
  axis: { format: "d", tickMinStep: 1 },
} as const;

/** Each seed's values over its steps, faint, and their running mean. */
function noisyLines(field: string, y: object, color: object) {
  const line = (of: string, mark: object) => ({
    mark: { type: "line", ...mark } as const,
    encoding: { x: steps, y: { ...y, field: of, type: "quantitative" }, color, detail: { field: "seed" } },
  });
  return {
    transform: [
      {
        window: [{ op: "mean" as const, field, as: "mean" }],
        frame: [-4, 4] as [number, number],
        sort: [{ field: "step" }],
        groupby: ["method", "seed"],
      },
    ],
    layer: [line(field, { strokeWidth: 1, opacity: 0.45 }), line("mean", { strokeWidth: 2 })] as never[],
  };
}

/**
 * A figure of each method over its steps, one small chart each: losses of different methods share no scale. A chart of many
 * steps shows about a thousand of them.
 */
export function courses(
  metrics: readonly MetricsRow[],
  figure: "loss" | "gradNorm",
  title: string,
): Promise<string> {
  const most = metrics.reduce((last, { step }) => Math.max(last, step), 0) + 1;
  const every = Math.ceil(most / 1000);
  const values = metrics
    .filter(({ step }) => step % every === 0)
    .map((row) => ({
      method: row.method,
      chart: `${row.method}, stage ${row.stage}`,
      step: row.step,
      [figure]: row[figure],
      seed: row.seed,
    }));
  const shown = order(values.map(({ method }) => method));
  const color = { field: "method", type: "nominal", scale: colorScale(shown), legend: null };
  return draw({
    data: { values },
    facet: {
      field: "chart",
      type: "nominal",
      title: null,
      sort: shown.map((method) => values.find((value) => value.method === method)!.chart),
    },
    columns: 3,
    spec: { width: 230, height: 130, ...noisyLines(figure, { title, scale: { zero: false } }, color) },
    resolve: { scale: { x: "independent", y: "independent" } },
  });
}

/** For each method and pair of losses a histogram of the cosines between their gradients, and the cosines' course. */
export function cosineCharts(metrics: readonly MetricsRow[]): Promise<string> {
  const values = metrics.flatMap(({ method, step, cosines = {}, seed }) =>
    Object.entries(cosines).map(([pair, cosine]) => ({
      method,
      pair,
      chart: `${method}: ${pair}`,
      step,
      cosine,
      seed,
    })),
  );
  const { domain, range } = colorScale(values.map(({ method }) => method));
  const charts = [...new Map(values.map((value) => [value.chart, value.method]))];
  charts.sort(([, a], [, b]) => domain.indexOf(a) - domain.indexOf(b));
  return draw({
    data: { values },
    vconcat: charts.map(([chart, method]) => {
      const color = range[domain.indexOf(method)]!;
      return {
        title: chart,
        transform: [{ filter: { field: "chart", equal: chart } }],
        hconcat: [
          {
            width: 300,
            height: 130,
            layer: [
              {
                mark: { type: "bar", color },
                encoding: {
                  x: {
                    field: "cosine",
                    type: "quantitative",
                    bin: { step: 0.1, extent: [-1, 1] },
                    title: "cosine of the two gradients",
                    axis: { values: [-1, -0.5, 0, 0.5, 1], format: ".1f" },
                  },
                  y: {
                    aggregate: "count",
                    type: "quantitative",
                    title: "number of steps",
                    axis: { format: "d", tickMinStep: 1 },
                  },
                },
              },
              {
                mark: { type: "rule", color: "#333", strokeDash: [4, 3] },
                encoding: { x: { datum: 0, type: "quantitative" } },
              },
            ],
          },
          {
            width: 460,
            height: 130,
            layer: [
              {
                mark: { type: "rule", color: "#333", strokeDash: [4, 3] },
                encoding: { y: { datum: 0, type: "quantitative" } },
              },
              noisyLines("cosine", { title: "cosine", scale: { domain: [-1, 1] } }, { value: color }),
            ],
          },
        ],
      };
    }),
  });
}

/** Accuracy by pattern and method, one panel for each measure. */
export function patternChart(
  rows: { measure: string; pattern: string; method: string; accuracy: number }[],
): Promise<string> {
  const scale = colorScale(rows.map(({ method }) => method));
  return draw({
    data: { values: rows },
    facet: { column: { field: "measure", type: "nominal", title: null } },
    spec: {
      width: 270,
      height: { step: 9 },
      mark: "bar",
      encoding: {
        y: { field: "pattern", type: "nominal", title: null, axis: { labelLimit: 400 } },
        yOffset: { field: "method", type: "nominal", sort: scale.domain },
        x: {
          field: "accuracy",
          type: "quantitative",
          axis: { format: "%" },
          title: "pairs right",
          scale: { domain: [0, 1] },
        },
        color: { field: "method", type: "nominal", title: null, scale },
      },
    },
  });
}

/** Maps of the same images side by side, with one legend. Colour and shape together tell classes apart. */
export function mapCharts(
  points: { map: string; x: number; y: number; label: string }[],
  maps: readonly string[],
): Promise<string> {
  const hues = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#7a5230", "#333333"];
  const shapes = ["circle", "square", "triangle-up", "diamond", "cross"];
  const classes = [...new Set(points.map(({ label }) => label))].sort();
  const legend = { title: null, columns: 4, orient: "bottom" } as const;
  return draw({
    data: { values: points },
    facet: { column: { field: "map", type: "nominal", title: null, sort: [...maps] } },
    spec: {
      width: 400,
      height: 400,
      mark: { type: "point", filled: true, size: 34, opacity: 0.85 },
      encoding: {
        x: { field: "x", type: "quantitative", axis: null },
        y: { field: "y", type: "quantitative", axis: null },
        color: {
          field: "label",
          type: "nominal",
          legend,
          scale: { domain: classes, range: classes.map((_, i) => hues[i % hues.length]!) },
        },
        shape: {
          field: "label",
          type: "nominal",
          legend,
          scale: {
            domain: classes,
            range: classes.map((_, i) => shapes[Math.floor(i / hues.length) % shapes.length]!),
          },
        },
      },
    },
    resolve: { scale: { x: "independent", y: "independent" } },
  });
}
