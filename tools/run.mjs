/**
 * `npm start` and `npm test` on a fresh clone, with nothing but Node, npm and git: checks Node's version, installs the
 * dependencies that are missing, builds the packages that changed, then runs the main example or every package's tests.
 * The other scripts of package.json run their turbo tasks through it.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const readJson = (...path) => JSON.parse(readFileSync(join(root, ...path), "utf8"));

checkNode();
installWhenStale();
const [command, ...rest] = process.argv.slice(2);
if (command === "start") start(rest);
else if (command === "test") test(rest);
else if (command === "turbo") runTurbo(rest);
else fail(`tools/run.mjs: expected "start", "test" or "turbo", got ${JSON.stringify(command)}`);

function fail(message) {
  console.error(message);
  process.exit(1);
}

function checkNode() {
  const needed = readJson("package.json").engines.node.replace(/[^0-9.]/g, "");
  const numbers = (version) => version.split(".").map(Number);
  const [major, minor = 0] = numbers(needed);
  const [ownMajor, ownMinor] = numbers(process.versions.node);
  if (ownMajor > major || (ownMajor === major && ownMinor >= minor)) return;
  fail(
    `This project needs Node ${needed} or later; this is Node ${process.versions.node} (${process.execPath}).`,
  );
}

/** `npm ci` when there is no node_modules, or package-lock.json changed after it was filled. */
function installWhenStale() {
  const filled = join(root, "node_modules", ".package-lock.json");
  // npm writes both files in one go, in no fixed order.
  const tolerance = 10_000;
  if (
    existsSync(filled) &&
    statSync(join(root, "package-lock.json")).mtimeMs <= statSync(filled).mtimeMs + tolerance
  ) {
    return;
  }
  console.error("Installing dependencies (npm ci) ...");
  const args = ["ci", "--no-audit", "--no-fund", "--no-update-notifier"];
  // npm tells its scripts where it is, which is surer than the PATH.
  const npm = process.env.npm_execpath;
  if (npm?.endsWith("js")) quietly(process.execPath, [npm, ...args]);
  else quietly(process.platform === "win32" ? "npm.cmd" : "npm", args);
}

/** Runs a program and shows what it printed only when it fails. */
function quietly(program, args) {
  const { status, error, stdout, stderr } = spawnSync(program, args, {
    cwd: root,
    env: environment(),
    encoding: "utf8",
    maxBuffer: 2 ** 28,
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (status === 0) return;
  process.stderr.write(`${stdout ?? ""}${stderr ?? ""}`);
  fail(`${[program, ...args].join(" ")} failed${error ? `: ${error.message}` : ` with exit code ${status}`}`);
}

function environment() {
  return { ...process.env, TURBO_TELEMETRY_DISABLED: "1", TURBO_NO_UPDATE_NOTIFIER: "1", DO_NOT_TRACK: "1" };
}

function turbo(...args) {
  return [process.execPath, [join(root, "node_modules", "turbo", "bin", "turbo"), "run", ...args]];
}

/** Runs turbo with its telemetry off, in any shell. */
function runTurbo(args) {
  const [program, programArgs] = turbo(...args);
  const { status, error } = spawnSync(program, programArgs, {
    cwd: root,
    env: environment(),
    stdio: "inherit",
  });
  if (error) fail(`turbo could not be started: ${error.message}`);
  process.exit(status ?? 1);
}

function start(args) {
  quietly(...turbo("build", "--filter=@dcr-js/example-scenes...", "--output-logs=errors-only"));
  const program = join(root, "examples", "scenes", "dist", "main.js");
  // A process group of its own: a terminal sends Ctrl-C to the whole group, and npm sends it on again, so the example would
  // get it twice or thrice. This process takes them all and passes one on.
  const child = spawn(process.execPath, [program, ...args], {
    stdio: "inherit",
    detached: process.platform !== "win32",
  });
  const lastSent = {};
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) {
    process.on(signal, () => {
      const now = Date.now();
      if (now - (lastSent[signal] ?? 0) < 1000) return;
      lastSent[signal] = now;
      child.kill(signal);
    });
  }
  child.on("error", (error) => fail(`${program} could not be started: ${error.message}`));
  child.on("exit", (code, signal) => {
    process.exit(code ?? 128 + constants.signals[signal]);
  });
}

function test(args) {
  if (args.length > 0) {
    fail(
      `npm test takes no arguments, got ${args.join(" ")}; for one package: npm test -w packages/tensor -- src/io`,
    );
  }
  const packages = packagesWithTests();
  for (const name of packages) rmSync(join(root, name, "test-results.json"), { force: true });
  const [program, programArgs] = turbo("test", "--concurrency=1", "--continue", "--ui=stream");
  const child = spawn(program, programArgs, {
    cwd: root,
    env: environment(),
    stdio: ["ignore", "inherit", "inherit"],
  });
  // Turbo gets the terminal's Ctrl-C too; this process waits for it to stop its tests.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  child.on("error", (error) => fail(`turbo could not be started: ${error.message}`));
  child.on("exit", (code, signal) => {
    const counts = packages.map(countResults);
    const passed = counts.reduce((sum, count) => sum + count.passed, 0);
    const failed = counts.reduce((sum, count) => sum + count.failed, 0);
    console.log(`${passed} passed, ${failed} failed`);
    process.exit(signal ? 128 + constants.signals[signal] : code || (failed > 0 ? 1 : 0));
  });
}

/** Folders of the workspaces that have a test script. */
function packagesWithTests() {
  return Object.entries(readJson("package-lock.json").packages)
    .map(([path]) => path)
    .filter((path) => path !== "" && !path.includes("node_modules"))
    .filter(
      (path) => existsSync(join(root, path, "package.json")) && readJson(path, "package.json").scripts?.test,
    );
}

/** Counts of vitest's JSON report. A package that left none, or a test file that did not load, is one failure. */
function countResults(name) {
  let report;
  try {
    report = readJson(name, "test-results.json");
  } catch {
    console.log(`${name}: no test results`);
    return { passed: 0, failed: 1 };
  }
  const unloaded = report.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((result) => result.status === "failed"),
  ).length;
  const failed = report.numFailedTests + unloaded;
  return { passed: report.numPassedTests, failed: failed === 0 && !report.success ? 1 : failed };
}
