import { join, relative } from "node:path";
import { projectTSNE } from "@dcr-js/eval";
import { writeFileAtomically } from "@dcr-js/tensor";
import { methodLabel } from "../config/methods.js";
import { configToYaml } from "../config/read-config.js";
import type { RunConfig } from "../config/run-config.js";
import type { Evaluation } from "../evaluate/evaluation.js";
import { alignmentJob } from "../run/jobs.js";
import type { MetricsRow } from "../run/metrics-file.js";
import { escapeMarkup } from "../shared/escape-markup.js";
import { cosineCharts, courses, mapCharts, patternChart } from "./charts.js";
import { remediesOf, remedySection } from "./remedies.js";
import { norm, type Results, type RunFindings } from "./results.js";
import { conflictLines, driftLines, scoreTable } from "./score-table.js";
import { tradeOffOf, tradeOffSentence } from "./trade-off.js";
import { tradeOffChart } from "./trade-off-chart.js";

const style = `
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff; }
h2 { margin-top: 2.5rem; } svg { max-width: 100%; height: auto; }
table { border-collapse: collapse; margin: 1rem 0; } th, td { padding: 0.3rem 0.7rem; text-align: right; vertical-align: top; border-bottom: 1px solid #ddd; white-space: nowrap; }
thead th { white-space: normal; vertical-align: bottom; } thead tr:first-child th { text-align: center; border-bottom: none; color: #555; font-weight: normal; }
th:first-child { text-align: left; } .facts td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
small { color: #777; } .up, .down, .same { font-size: 0.85em; } .up { color: #00704f; } .down { color: #b8430a; } .same { color: #888; }
img { image-rendering: pixelated; width: 800px; max-width: 100%; display: block; }
pre { background: #f6f6f6; padding: 1rem; font-size: 12px; columns: 2; white-space: pre-wrap; overflow-wrap: anywhere; }
`;

interface ReportSection {
  title: string;
  html: string;
}

/** The files of a report. */
export interface Report {
  /** The page, with everything in it. */
  page: string;
  /** The picture of two means against each other as a file, and the sentence that the figures support, where an evaluation has them. */
  tradeOff?: { picture: string; sentence: string };
}

/** Writes `report.html`, one file with everything in it, and `trade-off.svg` where an evaluation has two means. */
export async function writeReport(run: string, config: RunConfig, findings: RunFindings): Promise<Report> {
  const { results, metrics, evaluations } = findings;
  const shown = tradeOffOf(findings);
  const picture = shown && { svg: await tradeOffChart(shown), sentence: tradeOffSentence(findings, shown) };
  const remedies = remediesOf(config, findings);
  const sections = [
    ...(picture
      ? [
          {
            title: "Trade-off",
            html: `<p>${escapeMarkup(picture.sentence)}</p>\n${picture.svg}`,
          },
        ]
      : []),
    ...evaluationSections(results, await patternSection(results)),
    ...(remedies ? [remedySection(remedies)] : []),
    ...(results.conflict.length > 0 ? [await conflictSection(results, metrics)] : []),
    ...(metrics.length > 0 ? [await lossSection(metrics)] : []),
    ...(await mapSection(evaluations, config)),
    ...pictureSections(evaluations, config),
    { title: "Configuration", html: `<pre>${escapeMarkup(configToYaml(config))}</pre>` },
  ];
  const facts = factsOf(config, results).map(
    ([name, value]) => `<tr><th>${name}</th><td>${escapeMarkup(value)}</td></tr>`,
  );
  const html = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Diffusion Contrastive Reconstruction: run report</title>
<style>${style}</style></head><body>
<h1>Diffusion Contrastive Reconstruction</h1>
<table class="facts">${facts.join("")}</table>
${sections.map(({ title, html }) => `<h2>${escapeMarkup(title)}</h2>\n${html}`).join("\n")}
</body></html>
`;
  const page = join(run, "report.html");
  await writeFileAtomically(page, html);
  if (!picture) return { page };
  const path = join(run, "trade-off.svg");
  await writeFileAtomically(path, picture.svg);
  return { page, tradeOff: { picture: path, sentence: picture.sentence } };
}

/** The lines that end a command and name its report; paths start from `base`. */
export function reportText({ page, tradeOff }: Report, base: string): string {
  const where = `report: ${relative(base, page)}`;
  return tradeOff ? `${tradeOff.sentence}\n\npicture: ${relative(base, tradeOff.picture)}\n${where}` : where;
}

function factsOf(config: RunConfig, results: Results): [string, string][] {
  const { device, seeds } = results;
  const stage = ({ steps, batch, accumulation, learningRate }: RunConfig["enhance"]) =>
    `${steps} steps of ${accumulation} x ${batch} images, learning rate ${learningRate}`;
  const losses = config.methods.flatMap((method) => {
    const job = alignmentJob({ kind: "method", method, seed: 0 }, config);
    return job ? [job.loss] : [];
  });
  return [
    ["encoder", config.encoder],
    ["diffusion model", config.diffusion],
    ["images", config.images],
    ["methods", config.methods.map(methodLabel).join(", ")],
    ["device", [device.kind, device.adapter, device.reason].filter(Boolean).join(": ")],
    ["seeds", seeds.join(", ")],
    ...(losses.length > 0
      ? [
          ["stage 1", `the projector by ${[...new Set(losses)].join(", ")}: ${stage(config.align)}`] as [
            string,
            string,
          ],
        ]
      : []),
    [
      "stage 2",
      `${config.endToEnd ? "projector and encoder" : "the encoder"}, LoRA: ${stage(config.enhance)}`,
    ],
  ];
}

function evaluationSections(results: Results, patterns: ReportSection[]): ReportSection[] {
  const [first = {}] = Object.values(results.figures);
  if (Object.keys(first).length === 0) return [];
  const several = results.seeds.length > 1;
  const html = `<p>In percent, higher is better${several ? ", mean ± standard deviation over seeds" : ""}. Below each figure its change against
<i>original</i>${several ? " with the same seed" : ""}, <span class="same">grey</span> where ${several ? "it is not larger than its spread" : "one seed cannot tell it from chance"}.</p>
${scoreTable(results)}
${driftLines(results)
  .map((line) => `<p>${escapeMarkup(line)}</p>`)
  .join("")}`;
  return [{ title: "Evaluation, before and after", html }, ...patterns];
}

async function patternSection({ patterns, seeds }: Results): Promise<ReportSection[]> {
  if (patterns.length === 0) return [];
  const rows = patterns.map(({ pattern, count, ...rest }) => ({ ...rest, pattern: `${pattern} (${count})` }));
  const note = `<p>In brackets the number of pairs.${seeds.length > 1 ? " Means over seeds." : ""}</p>`;
  return [{ title: "Detail pairs by pattern", html: note + (await patternChart(rows)) }];
}

async function conflictSection(results: Results, metrics: readonly MetricsRow[]): Promise<ReportSection> {
  const lines = conflictLines(results).map((line) => `<li>${escapeMarkup(line)}</li>`);
  return { title: "Gradient conflict", html: `<ul>${lines.join("")}</ul>${await cosineCharts(metrics)}` };
}

async function lossSection(metrics: readonly MetricsRow[]): Promise<ReportSection> {
  return {
    title: "Losses and gradient norms",
    html: `<p>Each seed's steps, faint, and their running mean over nine steps.</p>
${await courses(metrics, "loss", "loss")}
<p>The global norm of the gradient, before clipping.</p>
${await courses(metrics, "gradNorm", "gradient norm")}`,
  };
}

/** Each method's evaluation with the first seed. */
const firstOf = (evaluations: RunFindings["evaluations"]): [method: string, Evaluation][] =>
  Object.entries(evaluations).map(([method, list]) => [method, list[0]!]);

/** A row of length 1, or of zeros: a map compares the directions of features. */
function unit(row: readonly number[]): number[] {
  const length = norm(row) || 1;
  return row.map((value) => value / length);
}

/** Maps of the features before and after, or of the first two methods. */
async function mapSection(
  evaluations: RunFindings["evaluations"],
  { seeds }: RunConfig,
): Promise<ReportSection[]> {
  const all = firstOf(evaluations).filter(([, { features }]) => features && features.values.length > 3);
  const pair = all.filter(([method]) => method === "original" || method === "dcr");
  const shown = pair.length === 2 ? pair : all.slice(0, 2);
  if (shown.length === 0) return [];
  const points: Parameters<typeof mapCharts>[0] = [];
  for (const [map, { features }] of shown) {
    const { values, labels } = features!;
    const projected = await projectTSNE(values.map(unit), { seed: 0 });
    points.push(...projected.map(([x, y], i) => ({ map, x, y, label: labels[i]! })));
  }
  const methods = shown.map(([method]) => method);
  const note = `<p>t-SNE maps of the features of ${points.length / shown.length} images. Seed ${seeds[0]}.</p>`;
  return [{ title: "Features, before and after", html: note + (await mapCharts(points, methods)) }];
}

/** Pictures of one title from all methods, below each other. */
function pictureSections(evaluations: RunFindings["evaluations"], { seeds }: RunConfig): ReportSection[] {
  const rows = firstOf(evaluations).flatMap(([method, { pictures = [] }]) =>
    pictures.map(({ title, png }) => ({ method, title, png })),
  );
  return [...new Set(rows.map(({ title }) => title))].map((title) => {
    const lines = rows
      .filter((row) => row.title === title)
      .map(({ method, png }) => {
        const alt = escapeMarkup(`${method}: ${title}`);
        return `<tr><th>${escapeMarkup(method)}</th><td><img src="data:image/png;base64,${png}" alt="${alt}"></td></tr>`;
      });
    return { title, html: `<p>Seed ${seeds[0]}.</p><table>${lines.join("")}</table>` };
  });
}
