/**
 * Proves the packages as their users get them: packs each one, installs the tarballs and tfjs-core in an empty project, and
 * runs there the example of each README (the first ```js block under "## Example"), in Node's ESM as it stands.
 * Needs built packages and the npm registry.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const packages = [
  "tensor",
  "encoders",
  "diffusion",
  "data",
  "contrastive",
  "gradient-conflict",
  "dcr",
  "eval",
  "cli",
];
const exampleLimitMs = 60_000;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const project = realpathSync(mkdtempSync(join(tmpdir(), "dcr-js-pack-")));
let failures = 0;

try {
  const tarballs = packages.map(pack);
  install(tarballs);
  for (const name of packages) runExample(name);
} finally {
  rmSync(project, { recursive: true, force: true });
}
console.log(`${packages.length - failures} of ${packages.length} README examples ran`);
process.exitCode = failures > 0 ? 1 : 0;

function npm(...args) {
  const { status, stdout, stderr } = spawnSync(
    "npm",
    [...args, "--no-audit", "--no-fund", "--loglevel=error"],
    {
      cwd: args[0] === "pack" ? root : project,
      encoding: "utf8",
      maxBuffer: 2 ** 26,
    },
  );
  if (status !== 0) throw new Error(`npm ${args.join(" ")} failed\n${stdout}${stderr}`);
  return stdout;
}

/** Packs one package, checks the list of its files, and returns the tarball's path. */
function pack(name) {
  const output = npm("pack", "--json", "--workspace", `packages/${name}`, "--pack-destination", project);
  const [{ filename, files }] = JSON.parse(output);
  const paths = files.map((file) => file.path);
  for (const needed of ["package.json", "README.md", "LICENSE", "dist/index.js", "dist/index.d.ts"]) {
    if (!paths.includes(needed)) throw new Error(`packages/${name}: its tarball lacks ${needed}`);
  }
  const stray = paths.filter((path) => /\.test\.|^(src|fixtures|node_modules)\/|test-results/.test(path));
  if (stray.length > 0) throw new Error(`packages/${name}: its tarball holds ${stray.join(", ")}`);
  return join(project, filename);
}

function install(tarballs) {
  const { version } = JSON.parse(
    readFileSync(join(root, "node_modules/@tensorflow/tfjs-core/package.json"), "utf8"),
  );
  writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }));
  npm("install", "--prefer-offline", `@tensorflow/tfjs-core@${version}`, ...tarballs);
}

function runExample(name) {
  const readme = readFileSync(join(root, "packages", name, "README.md"), "utf8");
  const code = /^## Example$[\s\S]*?^```js$\n([\s\S]*?)^```$/m.exec(readme)?.[1];
  if (!code) return report(name, 'README.md has no ```js block under "## Example"');
  const file = join(project, `${name}.mjs`);
  writeFileSync(file, code);
  const began = Date.now();
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [file], {
    cwd: project,
    encoding: "utf8",
    timeout: exampleLimitMs,
  });
  const seconds = ((Date.now() - began) / 1000).toFixed(1);
  if (signal)
    return report(name, `its example was stopped after ${seconds} s (${signal})\n${stdout}${stderr}`);
  if (status !== 0) return report(name, `its example ended with exit code ${status}\n${stdout}${stderr}`);
  if (stdout.trim() === "") return report(name, "its example printed nothing");
  console.log(`${name}: example ran in ${seconds} s`);
}

function report(name, problem) {
  failures++;
  console.error(`${name}: ${problem}`);
}
