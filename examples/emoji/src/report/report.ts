import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomically } from "@dcr-js/tensor";
import type { MethodName, RunConfig } from "../run/config.js";
import { alignmentOf, jobFiles } from "../run/jobs.js";
import type { MetricsRow } from "../run/metrics-file.js";
import type { Results } from "../run/results.js";
import { cosineCharts, lossCurves, mapCharts, patternChart } from "./charts.js";
import { conflictLines, lossPairs, scoreTable, verdict } from "./tables.js";
import { tsneMap } from "./tsne-map.js";

const stageText = ({ steps, batch, learningRate }: RunConfig["enhance"]) =>
  `${steps} steps of ${batch} images, learning rate ${learningRate}`;

/** Which projectors were aligned, and how. */
function stageOne(config: RunConfig): string {
  const losses = [...new Set(config.methods.map((method) => alignmentOf(method, config)))];
  return losses.map((loss) => `a projector by ${loss}: ${stageText(config.align[loss])}`).join("; ");
}

const escapeHtml = (text: string) =>
  text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]!);

/** Writes `report.html`, one file with everything in it. @returns its path. */
export async function writeReport(
  run: string,
  config: RunConfig,
  results: Results,
  metrics: MetricsRow[],
): Promise<string> {
  const methods = Object.keys(results.methods) as MethodName[];
  const [seed] = config.seeds;
  const shown =
    methods.includes("original") && methods.includes("dcr")
      ? (["original", "dcr"] as const)
      : methods.slice(0, 2);
  const points: { map: string; x: number; y: number; label: string }[] = [];
  for (const kind of shown) {
    for (const point of await tsneMap(jobFiles(run, { kind, seed }).features))
      points.push({ map: kind, ...point });
  }
  const grids: string[] = [];
  for (const kind of methods) {
    const png = await readFile(jobFiles(run, { kind, seed }).reconstructions);
    const source = `data:image/png;base64,${png.toString("base64")}`;
    const alt = `${kind}: held-out images above what is painted from their features`;
    grids.push(`<tr><th>${kind}</th><td><img src="${source}" alt="${alt}"></td></tr>`);
  }
  const patterns = methods.flatMap((method) =>
    Object.entries(results.methods[method]!.P.byPattern).flatMap(([name, { text, image, count }]) => {
      const pattern = `${name} (${count.mean})`;
      return [
        { measure: "P image", method, pattern, accuracy: image.mean },
        { measure: "P text", method, pattern, accuracy: text.mean },
      ];
    }),
  );
  const pairs = Object.values(results.methods[methods[0]]!.P.byPattern).reduce(
    (sum, { count }) => sum + count.mean,
    0,
  );
  const several = config.seeds.length > 1;
  const facts = [
    ["device", `${results.device.kind}: ${results.device.reason}`],
    ["seeds", config.seeds.join(", ")],
    ["stage 1", stageOne(config)],
    ["stage 2", `the encoder's LoRA: ${stageText(config.enhance)}`],
    ["evaluated on", `${config.evaluate} codes, which no model was trained on`],
  ];
  const html = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Diffusion Contrastive Reconstruction: run report</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff; }
h2 { margin-top: 2.5rem; } svg { max-width: 100%; height: auto; }
table { border-collapse: collapse; margin: 1rem 0; } th, td { padding: 0.3rem 0.7rem; text-align: right; vertical-align: top; border-bottom: 1px solid #ddd; white-space: nowrap; }
thead th { white-space: normal; vertical-align: bottom; } thead tr:first-child th { text-align: center; border-bottom: none; color: #555; font-weight: normal; }
th:first-child { text-align: left; } .facts td { text-align: left; white-space: normal; } .grids td { padding: 0.3rem; } .grids th { vertical-align: middle; }
small { color: #777; } .up, .down, .same { font-size: 0.85em; } .up { color: #00704f; } .down { color: #b8430a; } .same { color: #888; }
.warning { background: #fff3cd; padding: 0.5rem 1rem; } img { image-rendering: pixelated; width: 800px; display: block; }
pre { background: #f6f6f6; padding: 1rem; font-size: 12px; columns: 2; white-space: pre-wrap; overflow-wrap: anywhere; }
</style></head><body>
<h1>Diffusion Contrastive Reconstruction on emoji</h1>
${config.quick ? '<p class="warning"><b>Quick mode</b>: too few steps to conclude from.</p>' : ""}
<table class="facts">${facts.map(([name, value]) => `<tr><th>${name}</th><td>${escapeHtml(value)}</td></tr>`).join("")}</table>
<h2>D-Ability and P-Ability</h2>
<p>In percent, higher is better${several ? ", mean ± standard deviation over seeds" : ""}. Below each figure its change against
<i>original</i>${several ? " with the same seed" : ""}, <span class="same">grey</span> where ${several ? "it is not larger than its spread" : "one seed cannot tell it from chance"}. NMI, ACC, ARI (k-means)
and kNN are means over held-out emoji by subcategory and MNIST digits. P text is MMVP-VLM's rule; P image matches each image
of a pair with its twin in the other drawing. There are ${pairs} pairs, so one pair more is ${(100 / pairs).toFixed(1)} points of P image. Retention is of
held-out emoji: image to own caption, and google's drawing to twitter's.</p>
${scoreTable(results)}
${verdict(results)}
<h2>P-Ability by pattern</h2>
<p>In brackets the number of pairs.${several ? " Means over seeds." : ""}</p>
${await patternChart(patterns)}
<h2>Gradient conflict</h2>
${Object.keys(results.conflict).length > 0 ? `${conflictLines(results)}${await cosineCharts(metrics, lossPairs)}` : "<p>No method with two losses ran.</p>"}
<h2>Losses</h2>
<p>Each seed's steps, faint, and their running mean over nine steps.</p>
${metrics.length > 0 ? await lossCurves(metrics) : ""}
<h2>Features of held-out emoji, before and after</h2>
<p>t-SNE maps of the ${points.length / shown.length} emoji that D-Ability is measured on, by subcategory. Seed ${seed}.</p>
${await mapCharts(points, shown)}
<h2>What the denoiser paints from the feature alone</h2>
<p>Held-out images, and below each what is painted from its feature and noise: 20 DDIM steps, the same noise for each method.
Seed ${seed}.</p>
<table class="grids">${grids.join("")}</table>
<h2>Configuration</h2>
<pre>${escapeHtml(JSON.stringify(config, null, 2))}</pre>
<h2>Images</h2>
<p>Noto Emoji images by Google, Apache License 2.0. Twemoji images by Twitter, Inc. and other contributors, CC BY 4.0
(creativecommons.org/licenses/by/4.0), shown at 32 x 32 pixels. Both through emoji-datasource 16.0.0. Captions from
emoji-datasource and emojibase-data (MIT). Digits from MNIST (LeCun, Cortes, Burges).</p>
</body></html>
`;
  const path = join(run, "report.html");
  await writeFileAtomically(path, html);
  return path;
}
