/**
 * `npm run test:mutation -- contrastive [--mutate src/reducers]`: runs Stryker's mutants of a package, or of a part of it, against the
 * package's tests, prints the score and the survivors, and fails below 85 %. Not part of CI: a package takes an hour or more.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const mutated = ["contrastive", "gradient-conflict", "eval", "dcr", "encoders", "diffusion"];
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { mutate: { type: "string", default: "src" } },
});
const [name] = positionals;
if (positionals.length !== 1 || !mutated.includes(name)) {
  throw new Error(
    `mutation: expected one of ${mutated.join(", ")}, got ${positionals.join(" ") || "nothing"}`,
  );
}
const folder = join(root, "packages", name);
if (!existsSync(join(folder, values.mutate)))
  throw new Error(`mutation: packages/${name} has no ${values.mutate}`);

const pattern = values.mutate.endsWith(".ts") ? values.mutate : `${values.mutate}/**/*.ts`;
const work = mkdtempSync(join(tmpdir(), "mutation-"));
const config = join(work, "stryker.config.json");
writeFileSync(
  config,
  JSON.stringify({
    testRunner: "vitest",
    plugins: [join(root, "node_modules/@stryker-mutator/vitest-runner/dist/src/index.js")],
    vitest: { configFile: "vitest.config.mjs" },
    mutate: [pattern, "!**/*.test.ts", "!**/*.d.ts", "!src/index.ts", "!src/shared/**"],
    // Texts of errors are tested where they carry a name; their wording is not.
    mutator: { excludedMutations: ["StringLiteral"] },
    reporters: ["clear-text", "progress"],
    // Packages find one another, and their fixtures, through the repository's folders.
    inPlace: true,
    concurrency: 1,
    timeoutMS: 60_000,
    thresholds: { high: 95, low: 85, break: 85 },
    tempDirName: join(work, "stryker"),
  }),
);
const stryker = join(root, "node_modules/@stryker-mutator/core/bin/stryker.js");
const { status } = spawnSync(process.execPath, [stryker, "run", config], {
  cwd: folder,
  stdio: "inherit",
  env: { ...process.env, STRYKER_DASHBOARD_API_KEY: "" },
});
rmSync(work, { recursive: true, force: true });
process.exitCode = status ?? 1;
