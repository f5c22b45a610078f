// node commonjs-entries.mjs: run in a package's folder, after tsc. Writes dist/cjs for programs in CommonJS: a module for each entry of
// package.json's `exports` that requires the ES module, and copies of the declarations. TypeScript takes a declaration for CommonJS or
// for an ES module by the package.json above it, and with "module": "node16" it lets CommonJS import only the former.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path/posix";

const target = "dist/cjs";

function write(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

rmSync(target, { recursive: true, force: true });
const declarations = readdirSync("dist", { recursive: true })
  .map((file) => file.replaceAll("\\", "/"))
  .filter((file) => file.endsWith(".d.ts"));
for (const file of declarations) write(join(target, file), readFileSync(join("dist", file), "utf8"));
write(join(target, "package.json"), `${JSON.stringify({ type: "commonjs" })}\n`);

const { exports } = JSON.parse(readFileSync("package.json", "utf8"));
for (const { require, default: module } of Object.values(exports)) {
  if (!require) continue;
  const path = relative(dirname(require.default), module);
  write(require.default, `module.exports = require("${path}");\n`);
}
