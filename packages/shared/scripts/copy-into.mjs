// node copy-into.mjs: run in a package's folder, before tsc. Copies the sources of packages/shared to src/shared, so that
// packages that stand on tfjs-core alone share code without a package of their own to install.
//
// With --gradients it copies those that stand on tfjs-core too, and bundles tfjs-core's gradients: in Node's ESM tfjs-core resolves to a CommonJS bundle that
// registers none, and its gradient files have extensionless imports that Node refuses.
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const sources = join(dirname(fileURLToPath(import.meta.url)), "../src");
const withGradients = process.argv.includes("--gradients");
const target = "src/shared";

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
for (const file of readdirSync(sources)) {
  if (file.endsWith(".test.ts")) continue;
  const source = join(sources, file);
  if (withGradients || !readFileSync(source, "utf8").includes("@tensorflow/tfjs-core")) {
    copyFileSync(source, join(target, file));
  }
}
if (withGradients) {
  const bundle = await bundleGradients();
  for (const folder of [target, "dist/shared"]) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "tfjs-gradients.js"), bundle);
  }
}

/** tfjs-core's gradient configurations with the ops that they call, as one module. */
async function bundleGradients() {
  const core = dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs-core/package.json"));
  const files = readdirSync(join(core, "dist/gradients"))
    .filter((file) => file.endsWith("_grad.js"))
    .sort();
  const names = files.map((_, i) => `g${i}`);
  const entry = [
    ...files.map(
      (file, i) => `import * as g${i} from ${JSON.stringify(join(core, "dist/gradients", file))};`,
    ),
    `export const gradientConfigs = [${names}].flatMap((module) => Object.values(module));`,
  ].join("\n");
  const { outputFiles } = await build({
    stdin: { contents: entry, resolveDir: core },
    bundle: true,
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
