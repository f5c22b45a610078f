// Draws time and memory over N from a file of full-size-step: node benchmarks/src/full-size-plot.mjs <file.json>
// Writes <file>.svg beside it.
import { readFileSync, writeFileSync } from "node:fs";
import { parse, View } from "vega";
import { compile } from "vega-lite";

const [path] = process.argv.slice(2);
if (!path?.endsWith(".json"))
  throw new Error(`full-size-plot: expected a .json file, got ${path ?? "nothing"}`);
const { ours = [], pytorch = [], machine } = JSON.parse(readFileSync(path, "utf8"));
if (ours.length === 0) throw new Error(`full-size-plot: ${path}: no rows under "ours"`);

const values = [
  ...ours.map(({ batchSize, adapter, timed, peakResidentBytes }) => ({
    who: `dcr-js, ${adapter}`,
    batchSize,
    cpuSeconds: timed.at(-1)?.cpuSeconds,
    gib: peakResidentBytes / 2 ** 30,
  })),
  ...pytorch.map(({ batchSize, torch, cpuSeconds, peakResidentBytes }) => ({
    who: `PyTorch ${torch}`,
    batchSize,
    cpuSeconds,
    gib: peakResidentBytes / 2 ** 30,
  })),
].filter(({ cpuSeconds }) => cpuSeconds !== undefined);

const sizes = [...new Set(values.map(({ batchSize }) => batchSize))].sort((a, b) => a - b);
const chart = (field, title) => ({
  width: 260,
  height: 200,
  mark: { type: "line", point: true },
  encoding: {
    x: {
      field: "batchSize",
      type: "quantitative",
      title: "images N",
      axis: { values: sizes },
      scale: { domain: [0, sizes.at(-1) + 1] },
    },
    y: { field, type: "quantitative", title, scale: { zero: true } },
    color: { field: "who", type: "nominal", title: null, legend: { orient: "bottom", labelLimit: 400 } },
  },
});
const { spec } = compile({
  title: {
    text: "One DCR step, CLIP ViT-L/14 and Stable Diffusion 2.1-base, random weights",
    subtitle: machine,
  },
  data: { values },
  hconcat: [chart("cpuSeconds", "processor seconds"), chart("gib", "peak memory of the process, GiB")],
  config: { font: "system-ui, sans-serif", view: { stroke: "#ddd" } },
});
const view = new View(parse(spec), { renderer: "none" });
const out = path.replace(/\.json$/, ".svg");
const title = "Processor seconds and peak memory of one DCR step over the number of images";
// One title for all in place of vega's roles and labels on each mark, which linters of markup refuse.
const svg = (await view.toSVG())
  .replaceAll(/ (role|aria-[a-z]+)="[^"]*"/g, "")
  .replace(/<svg [^>]*>/, (start) => `${start}<title>${title}</title>`);
writeFileSync(out, `${svg}\n`);
view.finalize();
console.log(out);
