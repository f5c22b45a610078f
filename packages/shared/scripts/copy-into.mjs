// node copy-into.mjs: run in a package's folder, before tsc. Copies those sources of packages/shared that the package imports to src/shared, so
// that packages that depend on tfjs-core only share code without a package of their own to install.
//
// With --gradients it also bundles tfjs-core's gradients: in Node's ESM tfjs-core resolves to a CommonJS bundle that
// registers none, and its gradient files have extensionless imports that Node refuses.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { publicTfjsCore } from "./public-tfjs-core.mjs";

const sources = join(dirname(fileURLToPath(import.meta.url)), "../src");
const withGradients = process.argv.includes("--gradients");
const target = "src/shared";

const wanted = new Set();
for (const file of ["src", "test"].flatMap(sourcesIn)) {
  for (const name of importsOf(file, /shared\/([\w-]+)\.js"/g)) want(name);
}
rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
for (const file of wanted) copyFileSync(join(sources, file), join(target, file));
if (withGradients) {
  const bundle = await bundleGradients();
  for (const folder of [target, "dist/shared"]) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "tfjs-gradients.js"), bundle);
  }
}

/** Every TypeScript file of a folder that is the package's own. */
function sourcesIn(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true })
    .filter((file) => file.endsWith(".ts") && !/^shared[\\/]/.test(file))
    .map((file) => join(folder, file));
}

function importsOf(file, pattern) {
  return [...readFileSync(file, "utf8").matchAll(pattern)].map(([, name]) => name);
}

/** Adds a shared file and what it imports. */
function want(name) {
  const file = [`${name}.ts`, `${name}.d.ts`].find((one) => existsSync(join(sources, one)));
  if (!file) throw new Error(`packages/shared has no ${name}.ts, which this package imports`);
  if (wanted.has(file)) return;
  wanted.add(file);
  for (const other of importsOf(join(sources, file), /(?:from|import) "\.\/([\w-]+)\.js"/g)) want(other);
}

/** tfjs-core's gradient configurations, and the functions that they call and the package keeps for itself, as one module. */
async function bundleGradients() {
  const core = dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs-core/package.json"));
  const folder = join(core, "dist/gradients");
  const configs = readdirSync(folder)
    .filter((file) => file.endsWith("_grad.js"))
    .sort()
    .map((file) => ({ path: join(folder, file), name: gradientIn(join(folder, file)) }));
  const entry = [
    ...configs.map(({ path, name }) => `import { ${name} } from ${JSON.stringify(path)};`),
    `export const gradientConfigs = [${configs.map(({ name }) => name)}];`,
  ].join("\n");
  const { outputFiles } = await build({
    stdin: { contents: entry, resolveDir: core },
    bundle: true,
    external: ["@tensorflow/tfjs-core"],
    plugins: [publicTfjsCore],
    format: "esm",
    platform: "neutral",
    target: "es2022",
    minify: true,
    // tfjs-core marks its gradient files as free of side effects, and a bundler would drop them.
    ignoreAnnotations: true,
    legalComments: "none",
    write: false,
  });
  return outputFiles[0].contents;
}

/** The name of the one gradient configuration that a file of tfjs-core exports. */
function gradientIn(file) {
  const [name, ...others] = importsOf(file, /^export const (\w+GradConfig) /gm);
  if (!name || others.length > 0) throw new Error(`${file}: expected one gradient configuration`);
  return name;
}
