/**
 * Proves the command as its users get it: in an empty project with the packed tarballs and nothing else, `npx dcr enhance` on tiny
 * models of the real form and 60 odd-sized images of all formats, once from a folder and once from WebDataset shards; then what
 * else the command does. Needs built packages and the npm registry.
 */
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeTestImages, writeTestShards } from "../packages/testing/dist/test-images.js";
import { installProject, packAll, root } from "./packed-packages.mjs";

const models = join(root, "packages/cli/fixtures/models");
const folder = realpathSync(mkdtempSync(join(tmpdir(), "dcr-js-cli-")));
const project = join(folder, "project");
let checks = 0;
/** The README's objective. The packages that it imports come with the command. */
const ownObjective = `import { featureObjective } from "@dcr-js/dcr";
import * as tf from "@tensorflow/tfjs-core";

export default featureObjective("together", (z, augmented) => tf.mean(tf.squaredDifference(z, augmented)));
`;

try {
  installProject(project, ["@dcr-js/cli"], packAll(folder));
  const names = await writeTestImages(join(project, "photos"), 60);
  await writeTestShards(join(project, "shards"), { count: 60, shards: 3 });
  writeFileSync(
    join(project, "run.yaml"),
    `align: { steps: 4, batch: 4, accumulation: 1 }
enhance: { steps: 4, batch: 4, learningRate: 0.01 }
lora: { rank: 4, alpha: 4 }
checkpoint: { everySteps: 2 }
`,
  );
  const withModels = (encoder, diffusion) => [
    ...["--config", "run.yaml", "--device", "wasm"],
    ...["--encoder", join(models, encoder), "--diffusion", join(models, diffusion)],
  ];
  const options = withModels("clip", "stable-diffusion");
  enhance("runs/folder", [...options, "--images", "photos", "--evaluate", "folder:photos", "--tensorboard"]);
  writeFileSync(join(project, "my-loss.mjs"), ownObjective);
  dcr("enhance", ...options, "--images", "photos", "--method", "./my-loss.mjs", "--out", "runs/own");
  check(
    "an objective of one's own is named",
    /"method":"my-loss".*"losses":\{"together":/.test(read("runs/own/metrics.jsonl")),
  );
  enhance("runs/shards", [...options, "--images", "shards/{00000..00002}.tar"]);
  const siglip = withModels("siglip", "stable-diffusion-xl");
  enhance("runs/siglip", [...siglip, "--images", "photos", "--evaluate", "folder:photos"], "siglip");

  const printed = dcr(
    "encode",
    "--encoder",
    "runs/folder/encoder",
    "--images",
    "photos",
    "--out",
    "features.safetensors",
  );
  check("encode prints the shape", /features\.safetensors, \[60,24\]/.test(printed));
  const { header, metadata } = readHeader(join(project, "features.safetensors"));
  check("features are [60, 24]", String(header.features?.shape) === "60,24");
  check("names are the images', sorted", metadata.names === JSON.stringify(names));
  const neighbour = `import { nearestNeighbours, readFeatures } from "@dcr-js/eval";
import { initialize } from "@dcr-js/tensor";
await initialize({ device: "wasm" });
const file = "features.safetensors";
console.log((await readFeatures(file)).names.length, (await nearestNeighbours(file)).length);`;
  writeFileSync(join(project, "neighbours.mjs"), neighbour);
  const { stdout: found } = spawnSync(process.execPath, ["neighbours.mjs"], {
    cwd: project,
    encoding: "utf8",
  });
  check("eval takes the file as features", found.trim() === "60 60");

  const evaluation = [
    "evaluate",
    "--encoder",
    "runs/folder/encoder",
    "--on",
    "folder:photos",
    "--out",
    "found",
  ];
  check("evaluate prints figures", /^photos: NMI .*kNN /m.test(dcr(...evaluation)));
  check(
    "evaluate writes a page",
    /photos: nearest neighbours.*data:image\/png/s.test(read("found/report.html")),
  );
  const { figures, report } = JSON.parse(read("found/results.json"));
  check("evaluate writes figures and sections", figures.photos.kNN >= 0 && report.sections.length === 6);
  check("report prints the table", /^original .*\n^dcr /m.test(dcr("report", "runs/folder")));
  const plan = dcr("plan", ...options, "--images", "photos");
  check("plan prints weights and a peak", /unet/.test(plan) && /peak/.test(plan));
  check("doctor finds WebAssembly", /ok +WebAssembly/.test(dcr("doctor")));

  refused(
    ["enhance", ...options, "--images", "photos", "--batch", "61", "--out", "runs/refused"],
    /61 is more than/,
  );
  writeFileSync(join(project, "wrong.mjs"), "export default () => ({ figures: { mine: { share: 42 } } });\n");
  refused(
    ["enhance", ...options, "--images", "photos", "--evaluate", "./wrong.mjs", "--out", "runs/refused"],
    /--evaluate: .*wrong\.mjs: figures\.mine\.share: expected a number of at most 1, got 42/,
  );
  refused(["enhance", ...options, "--images", "nothing", "--out", "runs/refused"], /nothing does not exist/);
  truncateSync(join(project, "shards/00001.tar"), 1000);
  refused(["enhance", ...options, "--images", "shards", "--out", "runs/refused"], /00001\.tar: .*cut short/);
  check("a refused run leaves nothing", !existsSync(join(project, "runs/refused")));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`the command works from its tarballs: ${checks} checks`);

/** Runs `npx dcr`, which must end well. @returns what it printed */
function dcr(...args) {
  const { status, stdout, stderr } = npx(args);
  if (status !== 0) throw new Error(`dcr ${args.join(" ")} ended with ${status}\n${stdout}${stderr}`);
  return stdout;
}

function npx(args) {
  return spawnSync("npx", ["--no-install", "dcr", ...args], {
    cwd: project,
    encoding: "utf8",
    shell: process.platform === "win32",
    timeout: 600_000,
  });
}

function read(name) {
  return readFileSync(join(project, name), "utf8");
}

function refused(args, message) {
  const { status, stderr } = npx(args);
  check(
    `refuses ${args.join(" ")}: ${stderr}`,
    status === 1 && message.test(stderr) && stderr.trim().split("\n").length === 1,
  );
}

function enhance(out, args, model = "clip") {
  dcr("enhance", ...args, "--out", out);
  const run = join(project, out);
  for (const name of ["config.yaml", "metrics.jsonl", "report.html", "projector.safetensors"]) {
    check(`${out} has ${name}`, existsSync(join(run, name)));
  }
  const encoder = readdirSync(join(run, "encoder")).sort();
  for (const name of readdirSync(join(models, model)))
    check(`${out}/encoder has ${name}`, encoder.includes(name));
  check(
    `${out}/adapter is a PEFT folder`,
    readdirSync(join(run, "adapter")).sort().join() === "adapter_config.json,adapter_model.safetensors",
  );
  const rows = readFileSync(join(run, "metrics.jsonl"), "utf8").trim().split("\n");
  check(`${out} has a row for each step`, rows.length === 8);
  const left = readdirSync(run, { recursive: true }).filter((name) => /\.tmp$|lock\.|checkpoint/.test(name));
  check(`${out} holds nothing half-done: ${left}`, left.length === 0);
}

function readHeader(path) {
  const bytes = readFileSync(path);
  const length = Number(bytes.readBigUInt64LE(0));
  const { __metadata__: metadata, ...header } = JSON.parse(bytes.subarray(8, 8 + length).toString());
  return { header, metadata };
}

function check(what, holds) {
  if (!holds) throw new Error(`cli-test: ${what}: it does not hold`);
  checks++;
}
