// tfjs-core in Node's ESM resolves to a CommonJS bundle that registers no gradients, and its gradient files have
// extensionless imports that Node refuses. This bundles them, with the ops they call, into one module.
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const core = dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs-core/package.json"));
const files = readdirSync(join(core, "dist/gradients"))
  .filter((file) => file.endsWith("_grad.js"))
  .sort();
const names = files.map((_, i) => `g${i}`);
const entry = [
  ...files.map((file, i) => `import * as g${i} from ${JSON.stringify(join(core, "dist/gradients", file))};`),
  `export const gradientConfigs = [${names}].flatMap((module) => Object.values(module));`,
].join("\n");

const { outputFiles } = await build({
  stdin: { contents: entry, resolveDir: core },
  bundle: true,
  format: "esm",
  platform: "neutral",
  target: "es2022",
  minify: true,
  ignoreAnnotations: true,
  legalComments: "none",
  write: false,
});
for (const folder of ["src/gradients", "dist/gradients"]) {
  mkdirSync(join(here, "..", folder), { recursive: true });
  writeFileSync(join(here, "..", folder, "tfjs-gradients.js"), outputFiles[0].contents);
}
