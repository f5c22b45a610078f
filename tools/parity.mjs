/**
 * `npm run parity -- contrastive`: runs a package's tests, collects how far each function is from its peer, and writes the table
 * between `<!-- parity -->` and `<!-- /parity -->` of the package's README.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const name = process.argv[2];
if (!name) throw new Error("parity: expected the name of a package, such as contrastive");
const folder = mkdtempSync(join(tmpdir(), "parity-"));
const file = join(folder, "parity.jsonl");
const vitest = join(root, "node_modules/vitest/vitest.mjs");
const { status } = spawnSync(process.execPath, [vitest, "run", "--root", join(root, "packages", name)], {
  stdio: "inherit",
  env: { ...process.env, PARITY_FILE: file },
});
if (status !== 0) throw new Error(`parity: the tests of packages/${name} failed`);

const largest = new Map();
for (const line of readFileSync(file, "utf8").trim().split("\n")) {
  const { name, peer, value, gradient } = JSON.parse(line);
  const key = `${name}|${peer}`;
  const known = largest.get(key) ?? { name, peer, value: 0, gradient: undefined };
  known.value = Math.max(known.value, value);
  if (gradient !== undefined) known.gradient = Math.max(known.gradient ?? 0, gradient);
  largest.set(key, known);
}
rmSync(folder, { recursive: true, force: true });
const figure = (error) => (error === undefined ? "" : error === 0 ? "0" : error.toExponential(0));
const rows = [...largest.values()]
  .sort((a, b) => a.name.localeCompare(b.name))
  .map(
    ({ name, peer, value, gradient }) => `| \`${name}\` | ${peer} | ${figure(value)} | ${figure(gradient)} |`,
  );
const table = ["| function | peer | value | gradient |", "| --- | --- | --- | --- |", ...rows].join("\n");
const path = join(root, "packages", name, "README.md");
const readme = readFileSync(path, "utf8");
const marked = /<!-- parity -->[\s\S]*<!-- \/parity -->/;
if (!marked.test(readme)) throw new Error(`parity: ${path} has no <!-- parity --> and <!-- /parity -->`);
writeFileSync(path, readme.replace(marked, `<!-- parity -->\n${table}\n<!-- /parity -->`));
console.log(`${rows.length} rows written to ${path}`);
