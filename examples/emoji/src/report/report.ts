import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomically } from "@dcr-js/tensor";
import type { MethodName, RunConfig } from "../run/config.js";
import { jobFiles } from "../run/jobs.js";
import type { MetricsRow } from "../run/metrics-file.js";
import type { Results, Spread } from "../run/results.js";
import { cosineCharts, lossCurves, mapChart, patternChart } from "./charts.js";
import { tsneMap } from "./tsne-map.js";

const escapeHtml = (text: string) =>
  text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]!);

const figures = ["nmi", "acc", "ari", "knn"] as const;
const titles = ["NMI", "ACC", "ARI", "kNN", "P text", "P image", "image to text R@1", "cross-style R@1"];

function figuresOf(results: Results, method: MethodName): Spread[] {
  const { D, P, retention } = results.methods[method]!;
  return [...figures.map((name) => D[name]), P.text, P.image, retention.imageToText, retention.crossStyle];
}

function scoreTable(results: Results): string {
  const several = results.seeds.length > 1;
  const original = results.methods.original && figuresOf(results, "original");
  const rows = (Object.keys(results.methods) as MethodName[]).map((method) => {
    const cells = figuresOf(results, method).map(({ mean, std }, i) => {
      const change = original && method !== "original" ? 100 * (mean - original[i].mean) : undefined;
      const side =
        change === undefined
          ? ""
          : `<small class="${change < 0 ? "down" : "up"}">${change >= 0 ? "+" : ""}${change.toFixed(1)}</small>`;
      return `<td>${(100 * mean).toFixed(1)}${several ? ` <small>±${(100 * std).toFixed(1)}</small>` : ""} ${side}</td>`;
    });
    return `<tr><th>${method}</th>${cells.join("")}</tr>`;
  });
  return `<table><tr><th></th>${titles.map((title) => `<th>${title}</th>`).join("")}</tr>${rows.join("")}</table>`;
}

/** Each method's sum of D (mean of its four figures) and P (mean of its two), best first, in words. */
function verdict(results: Results): string {
  const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const scores = (Object.keys(results.methods) as MethodName[]).map((method) => {
    const values = figuresOf(results, method).map((figure) => figure.mean);
    const [d, p] = [mean(values.slice(0, 4)), mean(values.slice(4, 6))];
    return { method, d, p, both: (d + p) / 2 };
  });
  const ranked = [...scores].sort((a, b) => b.both - a.both);
  const rows = ranked.map(
    ({ method, d, p, both }) =>
      `<tr><th>${method}</th><td>${(100 * d).toFixed(1)}</td><td>${(100 * p).toFixed(1)}</td><td>${(100 * both).toFixed(1)}</td></tr>`,
  );
  const best = ranked[0].method;
  const note =
    best === "dcr" || !results.methods.dcr
      ? `<b>${best}</b> is best in the mean of D and P here.`
      : `<b>${best}</b>, not dcr, is best in the mean of D and P here.`;
  return `<p>${note} Differences below the spread over seeds mean nothing${results.seeds.length > 1 ? "" : ", and one seed shows no spread"}.</p>
<table><tr><th></th><th>D</th><th>P</th><th>mean</th></tr>${rows.join("")}</table>`;
}

function conflictLines(results: Results): string {
  return Object.entries(results.conflict)
    .map(
      ([method, { negativeShare, meanCosine, steps }]) =>
        `<li>${method === "naive" ? "naive: contrastive against reconstruction" : "dcr: augmented positive against target positive"}: ` +
        `negative in ${(100 * negativeShare).toFixed(1)} % of ${steps} steps, mean ${meanCosine.toFixed(3)}</li>`,
    )
    .join("");
}

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
  const maps: string[] = [];
  for (const kind of shown) {
    maps.push(
      `<figure>${await mapChart(await tsneMap(jobFiles(run, { kind, seed }).features))}<figcaption>${kind}</figcaption></figure>`,
    );
  }
  const grids: string[] = [];
  for (const kind of methods) {
    const png = await readFile(jobFiles(run, { kind, seed }).reconstructions);
    grids.push(
      `<figure><img src="data:image/png;base64,${png.toString("base64")}" alt="originals above reconstructions"><figcaption>${kind}</figcaption></figure>`,
    );
  }
  const patterns = methods.flatMap((method) =>
    Object.entries(results.methods[method]!.P.byPattern).map(([pattern, { image, count }]) => ({
      method,
      pattern: `${pattern} (${count.mean})`,
      accuracy: image.mean,
    })),
  );
  const html = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Diffusion Contrastive Reconstruction: run report</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 1rem 0; } th, td { padding: 0.25rem 0.7rem; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child { text-align: left; } small { color: #777; } .up { color: #2a8c55; } .down { color: #b03a48; }
figure { display: inline-block; margin: 0.5rem; vertical-align: top; } figcaption { text-align: center; color: #555; }
img { image-rendering: pixelated; width: 640px; } pre { background: #f6f6f6; padding: 1rem; overflow: auto; }
</style></head><body>
<h1>Diffusion Contrastive Reconstruction on emoji</h1>
<p>Device: ${escapeHtml(results.device.kind)} (${escapeHtml(results.device.reason)}). Seeds: ${config.seeds.join(", ")}.
Evaluated on ${config.evaluate} codes, which no model was trained on${config.quick ? ". <b>Quick mode: too few steps to conclude from</b>" : ""}.</p>
<h2>D-Ability and P-Ability</h2>
<p>In percent; the change against <i>original</i> beside it. NMI, ACC, ARI and kNN are means over held-out emoji
(subcategories) and MNIST; P text is MMVP-VLM's rule, P image matches each image with its twin in the other drawing.</p>
${scoreTable(results)}
${verdict(results)}
<h2>P-Ability by pattern, image to image</h2>
${await patternChart(patterns)}
<h2>Gradient conflict</h2>
<ul>${conflictLines(results)}</ul>
${Object.keys(results.conflict).length > 0 ? await cosineCharts(metrics) : "<p>No method with two losses ran.</p>"}
<h2>Losses</h2>
${metrics.length > 0 ? await lossCurves(metrics) : ""}
<h2>Features of held-out emoji (t-SNE)</h2>
<p>Colours are subcategories. Seed ${seed}.</p>
${maps.join("\n")}
<h2>What the denoiser paints from the feature alone</h2>
<p>Held-out originals above samples from noise, 20 DDIM steps, the same noise for each method. Seed ${seed}.</p>
${grids.join("\n")}
<h2>Configuration</h2>
<pre>${escapeHtml(JSON.stringify(config, null, 2))}</pre>
<h2>Images</h2>
<p>Noto Emoji images by Google, Apache License 2.0. Twemoji images by Twitter, Inc. and other contributors, CC BY 4.0.
Both through emoji-datasource 16.0.0. Captions from emoji-datasource and emojibase-data (MIT). Digits from MNIST.</p>
</body></html>
`;
  const path = join(run, "report.html");
  await writeFileAtomically(path, html);
  return path;
}
