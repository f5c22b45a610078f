/**
 * `npm run test:mutation -- contrastive [--files "src/reducers/*.ts"] [--sample 150 --seed 2] [--survivors] [--incremental]`: runs Stryker's
 * mutants of a package against the package's tests, prints the score with its interval and the survivors, and fails below 85 %. See README.md.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { wilsonInterval } from "@dcr-js/eval";
import { mutantKey } from "./chosen-mutants.mjs";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const mutated = ["contrastive", "gradient-conflict", "eval", "dcr", "encoders", "diffusion"];
const needed = 0.85;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    files: { type: "string", default: "src/**/*.ts" },
    sample: { type: "string" },
    seed: { type: "string", default: "1" },
    survivors: { type: "boolean", default: false },
    incremental: { type: "boolean", default: false },
  },
});
const [name] = positionals;
if (positionals.length !== 1 || !mutated.includes(name)) {
  throw new Error(
    `mutation: expected one of ${mutated.join(", ")}, got ${positionals.join(" ") || "nothing"}`,
  );
}
const seed = integer("seed", 0);
const size = values.sample === undefined ? undefined : integer("sample", 1);
if (values.incremental && (size !== undefined || values.survivors)) {
  throw new Error(
    "mutation: --incremental cannot be used with --sample or --survivors, which leave mutants out",
  );
}
if (values.survivors && size !== undefined) {
  throw new Error("mutation: --survivors cannot be used with --sample");
}

const folder = join(root, "packages", name);
const cache = join(root, ".cache", "mutation");
mkdirSync(cache, { recursive: true });
const survivorFile = join(cache, `${name}-survivors.json`);
const report = runStryker();
report.files = Object.fromEntries(
  Object.entries(report.files).map(([file, { mutants, source }]) => [
    relative(folder, join(folder, file)),
    { mutants, lines: source.split("\n") },
  ]),
);
process.exitCode = print(report) ? 0 : 1;

function integer(option, least) {
  const value = Number(values[option]);
  if (values[option].trim() === "" || !Number.isSafeInteger(value) || value < least) {
    throw new Error(
      `mutation: --${option} must be an integer, at least ${least}, got ${JSON.stringify(values[option])}`,
    );
  }
  return value;
}

/** Stryker's report of the mutants that were chosen. */
function runStryker() {
  const work = mkdtempSync(join(tmpdir(), "mutation-"));
  const json = join(cache, `${name}-report.json`);
  const config = join(work, "stryker.config.json");
  const plugin = (file) => fileURLToPath(new URL(file, import.meta.url));
  writeFileSync(
    config,
    JSON.stringify({
      testRunner: "vitest-by-file",
      plugins: [plugin("test-runner.mjs"), plugin("without-effect.mjs"), plugin("chosen-mutants.mjs")],
      vitest: { configFile: "vitest.config.mjs" },
      mutate: [
        values.files,
        "!**/*.test.ts",
        "!**/*.test.helper.ts",
        "!**/*.d.ts",
        "!src/index.ts",
        "!src/shared/**",
      ],
      ignorers: ["without-effect"],
      checkers: ["chosen-mutants"],
      chosenMutants: {
        sample: size,
        seed,
        only: values.survivors ? readSurvivors() : undefined,
      },
      coverageAnalysis: "perTest",
      incremental: values.incremental,
      incrementalFile: join(cache, `${name}-incremental.json`),
      reporters: ["json", "progress-append-only"],
      jsonReporter: { fileName: json },
      // Packages find one another, and their fixtures, through the repository's folders.
      inPlace: true,
      concurrency: 1,
      timeoutMS: 60_000,
      // On a busy machine the first run of all tests may take long.
      dryRunTimeoutMinutes: 60,
      tempDirName: join(work, "stryker"),
    }),
  );
  try {
    const stryker = join(root, "node_modules/@stryker-mutator/core/bin/stryker.js");
    const { status, signal } = spawnSync(process.execPath, [stryker, "run", config], {
      cwd: folder,
      stdio: "inherit",
      env: { ...process.env, STRYKER_DASHBOARD_API_KEY: "" },
    });
    if (status !== 0) throw new Error(`mutation: Stryker ended with ${signal ?? `exit code ${status}`}`);
    return JSON.parse(readFileSync(json, "utf8"));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function readSurvivors() {
  if (!existsSync(survivorFile)) throw new Error(`mutation: --survivors needs a run of ${name} before it`);
  return JSON.parse(readFileSync(survivorFile, "utf8")).map(({ key }) => key);
}

/** Prints score and survivors, and keeps the survivors for `--survivors`; returns whether the score suffices. */
function print({ files }) {
  const equivalent = JSON.parse(readFileSync(new URL("equivalent.json", import.meta.url), "utf8"));
  const known = new Set(equivalent.filter((one) => one.package === name).map(changeKey));
  const counts = { killed: 0, timeout: 0, survived: 0, uncovered: 0, equivalent: 0 };
  const lines = [];
  const found = [];
  for (const [file, { mutants, lines: source }] of Object.entries(files)) {
    for (const mutant of mutants) {
      if (mutant.status === "Killed") counts.killed++;
      else if (mutant.status === "Timeout") counts.timeout++;
      else if (mutant.status === "Survived" || mutant.status === "NoCoverage") {
        const code = codeOf(source, mutant.location);
        const change = { file, code, mutator: mutant.mutatorName, replacement: mutant.replacement };
        if (known.has(changeKey(change))) {
          counts.equivalent++;
          continue;
        }
        const uncovered = mutant.status === "NoCoverage";
        counts[uncovered ? "uncovered" : "survived"]++;
        found.push({ key: mutantKey(file, mutant), package: name, ...change });
        const { line, column } = mutant.location.start;
        lines.push(
          `${file}:${line}:${column} ${uncovered ? "(not reached) " : ""}${mutant.mutatorName}: ` +
            `${short(code)}  ->  ${short(mutant.replacement)}`,
        );
      }
    }
  }
  if (!values.survivors) writeFileSync(survivorFile, JSON.stringify(found, null, 2));
  const noticed = counts.killed + counts.timeout;
  const all = noticed + counts.survived + counts.uncovered;
  if (all === 0) throw new Error(`mutation: no mutant of packages/${name} was tested in ${values.files}`);
  const percent = (share) => (100 * share).toFixed(1);
  console.log(`\n${lines.join("\n")}\n`);
  console.log(
    `${name}: ${noticed} of ${all} mutants noticed (${counts.timeout} by a timeout), ${counts.survived} survived, ` +
      `${counts.uncovered} not reached; ${counts.equivalent} equivalent, left out`,
  );
  if (values.survivors) return true;
  const interval =
    size === undefined
      ? ""
      : ` (95 %: ${wilsonInterval(noticed / all, all)
          .map(percent)
          .join(" to ")}), a sample with seed ${seed}`;
  console.log(`${name}: ${percent(noticed / all)} %${interval}`);
  return noticed / all >= needed;
}

/** A change by its content, so that it is found again when lines move. */
function changeKey({ file, code, mutator, replacement }) {
  return JSON.stringify([file, code, mutator, replacement]);
}

function codeOf(source, { start, end }) {
  const lines = source.slice(start.line - 1, end.line);
  lines[lines.length - 1] = lines.at(-1).slice(0, end.column - 1);
  lines[0] = lines[0].slice(start.column - 1);
  return lines.join("\n");
}

function short(code) {
  const line = code.replace(/\s+/g, " ");
  return line.length > 100 ? `${line.slice(0, 97)}...` : line;
}
