import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { initialize, Random, writeFileAtomically, writeSafetensors } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defaultSettings, methodNames, type RunConfig } from "../run/config.js";
import type { Evaluation } from "../run/evaluate.js";
import { jobFiles, listJobs } from "../run/jobs.js";
import { appendMetrics } from "../run/metrics-file.js";
import { writeResults } from "../run/results.js";
import { writeReport } from "./report.js";

const base: RunConfig = {
  ...defaultSettings(true),
  methods: [...methodNames],
  seeds: [0, 1],
  device: "wasm",
  models: "/models & more",
  evaluate: "reserved",
};
const patterns = ["Text", "Quantity and Count"];
let folder: string;

beforeAll(async () => {
  await initialize({ device: "cpu" });
  folder = await mkdtemp(join(tmpdir(), "emoji-report-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** ACC is the same in every seed but for dcr, whose gain is all spread; NMI is each method's own in every seed. */
function evaluation(method: number, seed: number): Evaluation {
  const acc = method === 4 ? 0.3 + seed : 0.4;
  const scores = { nmi: 0.5 + method / 50, acc, ari: 0.5, knn: 0.5 };
  const one = { text: 0.25, image: 0.75, count: 2 };
  return {
    D: { ...scores, bySet: { emoji: scores, mnist: scores } },
    P: { text: 0.25, image: 0.75, byPattern: Object.fromEntries(patterns.map((name) => [name, one])) },
    retention: { imageToText: 0.5, crossStyle: 0.5 },
  };
}

/** The report of a finished run. */
async function report(name: string, config: RunConfig): Promise<string> {
  const run = join(folder, name);
  for (const seed of config.seeds) {
    const random = new Random(seed);
    for (const { kind } of listJobs({ ...config, seeds: [seed] })) {
      const files = jobFiles(run, { kind, seed });
      await mkdir(files.folder, { recursive: true });
      const two = kind === "naive" || kind === "dcr";
      for (let step = 0; kind !== "original" && step < 3; step++) {
        await appendMetrics(files.metrics, {
          method: kind,
          stage: kind === "align-rec" || kind === "align-dcr" ? 1 : 2,
          seed,
          step,
          loss: random.number(),
          losses: {},
          gradNorm: 1,
          ...(two && { cosine: random.number() - 0.5, norms: { one: 1, other: 2 } }),
          time: 1,
        });
      }
      if (kind === "align-rec" || kind === "align-dcr") continue;
      await writeFileAtomically(files.result, JSON.stringify(evaluation(methodNames.indexOf(kind), seed)));
      await writeFileAtomically(files.reconstructions, `picture of ${kind}`);
      const features = {
        features: random.normal([70, 4]),
        labels: tf.tensor1d(
          Array.from({ length: 70 }, (_, i) => i % 2),
          "int32",
        ),
      };
      await writeSafetensors(files.features, features, { metadata: { classes: '["bird","tool"]' } });
      tf.dispose(features);
    }
  }
  const device = { kind: "wasm", reason: "a < b" } as never;
  const { results, metrics } = await writeResults(run, config, device);
  return readFile(await writeReport(run, config, results, metrics), "utf8");
}

/** The part of the page below a heading. */
const section = (html: string, title: string) =>
  html.split("<h2>").find((part) => part.startsWith(`${title}</h2>`)) ?? "";
const count = (text: string, pattern: RegExp) => text.match(new RegExp(pattern, "g"))?.length ?? 0;

describe("writeReport", () => {
  it("has everything in one file", async () => {
    const html = await report("whole", base);
    // What a page loads: images are data, and nothing else is there to load.
    expect(html).not.toMatch(/<(script|link|iframe|object|use)\b|@import|url\(|(src|href)="(?!data:)/);

    const scores = section(html, "D-Ability and P-Ability");
    for (const method of methodNames) expect(scores).toContain(`<tr><th>${method}</th><td>`);
    expect(scores).toContain(
      '<td>56.0 <small>± 0.0</small><div class="up">+6.0 <small>± 0.0</small></div></td>',
    );
    // dcr's ACC: 40 points up, but seeds differ by more.
    expect(scores).toContain(
      '<td>80.0 <small>± 70.7</small><div class="same">+40.0 <small>± 70.7</small></div></td>',
    );
    expect(scores).toMatch(
      /<b>dcr<\/b> is best in the mean of D and P, .* within the spread of ±8\.8 over seeds\./,
    );

    const byPattern = section(html, "P-Ability by pattern");
    for (const text of ["P image", "P text", ...patterns.map((name) => `${name} (2)`)]) {
      expect(byPattern).toContain(`>${text}</text>`);
    }
    const conflict = section(html, "Gradient conflict");
    for (const text of ["number of steps", "cosine of the two gradients", "step"]) {
      expect(count(conflict, new RegExp(`>${text}</text>`)), text).toBe(2);
    }
    const losses = section(html, "Losses");
    for (const text of [
      "align-rec, stage 1",
      "align-dcr, stage 1",
      "rec, stage 2",
      "con, stage 2",
      "naive, stage 2",
      "dcr, stage 2",
    ]) {
      expect(losses).toContain(`>${text}</text>`);
    }
    const maps = section(html, "Features of held-out emoji, before and after");
    for (const text of ["original", "dcr", "bird", "tool"]) expect(maps).toContain(`>${text}</text>`);
    const painted = section(html, "What the denoiser paints from the feature alone");
    expect(count(painted, /<img /)).toBe(5);
    for (const method of methodNames) {
      expect(painted).toContain(Buffer.from(`picture of ${method}`).toString("base64"));
    }
    expect(section(html, "Configuration")).toContain("&quot;models&quot;: &quot;/models &amp; more&quot;");
    expect(html).toContain("wasm: a &lt; b");
    const credits = section(html, "Images");
    for (const text of [/Noto Emoji.* Apache License 2\.0/, /Twemoji.*\s.*CC BY 4\.0/, /MNIST/]) {
      expect(credits).toMatch(text);
    }
  });

  it("colours no change of a single seed, and shows what there is of one method", async () => {
    const one = await report("one-seed", { ...base, methods: ["original", "rec"], seeds: [1] });
    expect(one).not.toMatch(/class="(up|down)"|±/);
    expect(one).toContain('<div class="same">+2.0</div>');
    expect(one).toContain("one seed shows no spread");
    expect(one).toContain("No method with two losses ran.");
    const alone = await report("alone", { ...base, methods: ["dcr"], seeds: [0] });
    expect(alone).toContain("<b>dcr</b> is best in the mean of D and P.");
    expect(count(alone, /<img /)).toBe(1);
  });
});
