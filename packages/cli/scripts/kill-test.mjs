/**
 * Kills runs of `dcr enhance` at random moments and goes on with them: the result must be that of a run that nobody killed, to
 * the last bit, and a second writer must be refused while a run is alive. `npm run test:kill -- [count] [seed]`, default 50 and 0.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const main = join(root, "dist/main.js");
const models = join(root, "fixtures/models");
const images = join(root, "fixtures/pattern-images.mjs");
const [count, seed] = [Number(process.argv[2] ?? 50), Number(process.argv[3] ?? 0)];

let state = seed >>> 0;
/** mulberry32, in [0, 1). */
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}

const options = [
  ...["--encoder", join(models, "clip"), "--diffusion", join(models, "stable-diffusion"), "--images", images],
  ...["--align-steps", "6", "--steps", "8", "--batch", "3", "--align-batch", "3", "--device", "wasm"],
  ...["--lora-rank", "2", "--learning-rate", "0.01", "--checkpoint-steps", "2", "--tensorboard"],
];
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs the command in a process group of its own. */
function start(...args) {
  const child = spawn(process.execPath, [main, "enhance", ...args], {
    stdio: ["ignore", "ignore", "pipe"],
    detached: true,
  });
  let stderr = "";
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const ended = new Promise((resolve) =>
    child.on("close", (code, signal) => resolve({ code, signal, stderr })),
  );
  return { child, ended };
}

/** Whether a second writer is refused; undefined where the first one ended meanwhile. */
async function secondWriterRefused(run, first) {
  if (!existsSync(join(run, "config.yaml")) || !readdirSync(run).some((name) => /^lock\.\d+$/.test(name)))
    return undefined;
  const { code, stderr } = await start("--resume", run).ended;
  if (first.exitCode !== null || first.signalCode !== null) return undefined;
  if (code === 1 && /is writing to this run/.test(stderr)) return true;
  console.log(`a second writer ended with ${code}: ${stderr}`);
  return false;
}

/** A run's results, without times. */
function fingerprint(run) {
  const hash = (path) =>
    createHash("sha256")
      .update(readFileSync(join(run, path)))
      .digest("hex");
  const { metricsSha256 } = JSON.parse(readFileSync(join(run, "results.json"), "utf8"));
  const files = ["encoder/model.safetensors", "adapter/adapter_model.safetensors", "projector.safetensors"];
  return JSON.stringify([metricsSha256, ...files.map(hash)]);
}

const leftovers = (run) =>
  readdirSync(run, { recursive: true }).filter((name) => /\.tmp|lock\.|worker\.json|checkpoint/.test(name));

const folder = mkdtempSync(join(tmpdir(), "dcr-kill-"));
let identical = 0;
let refused = 0;
let asked = 0;
try {
  const whole = join(folder, "whole");
  const began = performance.now();
  const { code, stderr } = await start(...options, "--out", whole).ended;
  if (code !== 0) throw new Error(`the run that nobody kills ended with ${code}: ${stderr}`);
  const expected = fingerprint(whole);
  const duration = performance.now() - began;
  console.log(`a whole run takes ${(duration / 1000).toFixed(1)} s`);
  for (let i = 0; i < count; i++) {
    const run = join(folder, `killed-${i}`);
    let kills = 0;
    let last;
    // Most are killed once, some again while they go on.
    for (let wanted = random() < 0.3 ? 2 : 1; ; wanted--) {
      const going = existsSync(join(run, "config.yaml"));
      const { child, ended } = start(...(going ? ["--resume", run] : [...options, "--out", run]));
      if (wanted > 0) {
        const at = random() * duration;
        const first = await Promise.race([ended, pause(at)]);
        if (!first && i % 2 === 0) {
          const answer = await secondWriterRefused(run, child);
          if (answer !== undefined) {
            asked++;
            if (answer) refused++;
          }
        }
        // Half of the kills hit only the starter, whose workers must then end by themselves.
        if (child.exitCode === null) {
          kills++;
          try {
            process.kill(random() < 0.5 ? -child.pid : child.pid, "SIGKILL");
          } catch {
            // It ended meanwhile.
          }
        }
      }
      last = await ended;
      if (last.code === 0) break;
      if (last.signal !== "SIGKILL") break;
    }
    const same = last.code === 0 && fingerprint(run) === expected && leftovers(run).length === 0;
    if (same) identical++;
    else console.log(`run ${i} differs after ${kills} kills: ${last.code} ${last.stderr} ${leftovers(run)}`);
    if (same) rmSync(run, { recursive: true });
    if ((i + 1) % 10 === 0)
      console.log(`${identical} of ${i + 1} identical; second writer refused ${refused} of ${asked} times`);
  }
} finally {
  if (identical === count) rmSync(folder, { recursive: true });
  else console.log(`kept: ${folder}`);
}
console.log(
  `resume identical in ${identical} of ${count}; a second writer was refused in ${refused} of ${asked}`,
);
process.exitCode = identical === count && refused === asked && asked > 0 ? 0 : 1;
