import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { basename, extname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { installProject, packAll, packages, root, run } from "./packed-packages.mjs";

const exampleLimitMs = 60_000;

const wanted = process.argv.length > 2 ? process.argv.slice(2) : packages;
const unknown = wanted.filter((name) => !packages.includes(name));
if (unknown.length > 0)
  throw new Error(`pack-test: no such package: ${unknown.join(", ")}; there are ${packages.join(", ")}`);

const folder = realpathSync(mkdtempSync(join(tmpdir(), "dcr-js-pack-")));
let failures = 0;
let browserMissing = false;
try {
  const tarballs = packAll(folder);
  const browser = await launchBrowser();
  browserMissing = !browser;
  for (const name of wanted) {
    try {
      await testPackage(name, tarballs, browser);
    } catch (error) {
      failures++;
      console.error(`${name}: ${error.message}`);
    }
  }
  await browser?.close();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${wanted.length - failures} of ${wanted.length} packages work as their READMEs say`);
if (failures > 0) process.exitCode = 1;
else if (browserMissing) {
  console.log(
    "no browser: the bundled examples were not run; set CHROMIUM to a Chromium's path, or install one",
  );
  process.exitCode = 77;
}

/** The packages that the README's first `npm install` line names. */
function installLine(readme) {
  const line = /^```sh\n[\s\S]*?^npm install ([^\n]+)$/m.exec(readme)?.[1];
  if (!line) throw new Error('README.md has no "npm install" line in an ```sh block');
  return line.split(" ").filter((word) => word && !word.startsWith("-"));
}

async function testPackage(name, tarballs, browser) {
  const readme = readFileSync(join(root, "packages", name, "README.md"), "utf8");
  const code = /^## Example$[\s\S]*?^```js$\n([\s\S]*?)^```$/m.exec(readme)?.[1];
  if (!code) throw new Error('README.md has no ```js block under "## Example"');
  const project = join(folder, name);
  const names = installLine(readme);
  if (!names.includes(`@dcr-js/${name}`))
    throw new Error(`README.md's install line does not name @dcr-js/${name}`);
  installProject(project, names, tarballs);
  checkTypes(name, project);
  checkRequire(name, project);
  writeFileSync(join(project, "example.mjs"), code);
  const began = Date.now();
  const printed = run(project, process.execPath, ["example.mjs"], { timeout: exampleLimitMs });
  if (printed.trim() === "") throw new Error("its example printed nothing");
  const ran = [`Node ${((Date.now() - began) / 1000).toFixed(1)} s`];
  if (browser && !/from "node:/.test(code) && !readme.includes("<!-- Node only -->")) {
    // A page does not say when its module has run; the last line does.
    writeFileSync(join(project, "entry.mjs"), `${code}\nconsole.log("the example ended");\n`);
    for (const bundler of [bundleWithEsbuild, bundleWithVite]) {
      const started = Date.now();
      await runInBrowser(browser, await bundler(project));
      ran.push(`${bundler.name.replace("bundleWith", "")} ${((Date.now() - started) / 1000).toFixed(1)} s`);
    }
  }
  console.log(`${name}: example ran in ${ran.join(", ")}`);
}

/** A package's types, seen from an ES module and from a CommonJS one. */
function checkTypes(name, project) {
  writeFileSync(
    join(project, "esm.mts"),
    `import * as all from "@dcr-js/${name}";\nexport const names = Object.keys(all);\n`,
  );
  // The command's own graph awaits at its top level, which `require` refuses, so it has types for ES modules only.
  const commonJS =
    name === "cli"
      ? `import type * as All from "@dcr-js/cli" with { "resolution-mode": "import" };\n` +
        `export const load = async (): Promise<typeof All> => await import("@dcr-js/cli");\n`
      : `import * as all from "@dcr-js/${name}";\nexport const names = Object.keys(all);\n`;
  writeFileSync(join(project, "commonjs.cts"), commonJS);
  for (const module of ["node16", "node20"]) compile(project, { module });
  // TypeScript's rules from before `exports`, its default for "module": "commonjs" up to version 5.
  compile(project, { module: "commonjs", moduleResolution: "node10", ignoreDeprecations: "6.0" });
}

function compile(project, options) {
  const compilerOptions = {
    noEmit: true,
    strict: true,
    ...options,
    target: "es2022",
    lib: ["es2023", "dom", "dom.iterable"],
    types: [],
    // tfjs-core's own declarations do not pass with it off: they use a type "Long" that they do not declare.
    skipLibCheck: true,
  };
  writeFileSync(
    join(project, "tsconfig.json"),
    JSON.stringify({ compilerOptions, files: ["esm.mts", "commonjs.cts"] }),
  );
  run(project, process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.json"]);
}

/** A CommonJS program loads the package. */
function checkRequire(name, project) {
  if (name === "cli") return;
  writeFileSync(
    join(project, "required.cjs"),
    `console.log(Object.keys(require("@dcr-js/${name}")).length);\n`,
  );
  const printed = run(project, process.execPath, ["required.cjs"]);
  if (!(Number(printed.trim().split("\n").at(-1)) > 0))
    throw new Error(`require gave no exports: ${printed}`);
}

async function bundleWithEsbuild(project) {
  const { build } = await import("esbuild");
  const outdir = join(project, "bundle-esbuild");
  await build({
    entryPoints: [join(project, "entry.mjs")],
    bundle: true,
    format: "esm",
    minify: true,
    target: "es2022",
    outdir,
    logLevel: "error",
  });
  writeFileSync(
    join(outdir, "index.html"),
    '<!doctype html><meta charset="utf-8"><script type="module" src="/entry.js"></script>',
  );
  return outdir;
}

async function bundleWithVite(project) {
  const { build } = await import(pathToFileURL(join(root, "node_modules/vite/dist/node/index.js")).href);
  const outDir = join(project, "bundle-vite");
  writeFileSync(
    join(project, "index.html"),
    '<!doctype html><meta charset="utf-8"><script type="module" src="/entry.mjs"></script>',
  );
  await build({ root: project, configFile: false, logLevel: "error", build: { outDir, target: "es2022" } });
  return outDir;
}

async function launchBrowser() {
  const { chromium } = await import("playwright-core");
  const { CHROMIUM } = process.env;
  const executablePath = (CHROMIUM ? [CHROMIUM] : ["/usr/bin/chromium", chromium.executablePath()]).find(
    existsSync,
  );
  if (!executablePath) return undefined;
  return chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--enable-unsafe-webgpu",
    ],
  });
}

/** Serves a folder on the loopback address and waits until the example in it has ended. */
async function runInBrowser(browser, site) {
  const types = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".wasm": "application/wasm",
    ".css": "text/css",
  };
  const server = createServer(({ url }, response) => {
    const path = join(
      site,
      url === "/" ? "index.html" : decodeURIComponent(new URL(url, "http://localhost").pathname),
    );
    // READMEs tell users to serve the WebAssembly files beside the page.
    const served = existsSync(path)
      ? path
      : join(site, "../node_modules/@tensorflow/tfjs-backend-wasm/wasm-out", basename(path));
    if (!existsSync(served)) return response.writeHead(404).end();
    response
      .writeHead(200, { "content-type": types[extname(path)] ?? "application/octet-stream" })
      .end(readFileSync(served));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const page = await browser.newPage();
  const printed = [];
  try {
    await new Promise((resolve, reject) => {
      const timer = setTimeout(
        () =>
          reject(
            new Error(
              `bundled, its example did not end in ${exampleLimitMs / 1000} s; it printed\n${printed.join("\n")}`,
            ),
          ),
        exampleLimitMs,
      );
      const end = (settle) => (value) => {
        clearTimeout(timer);
        settle(value);
      };
      page.on("console", (message) => {
        if (message.text() === "the example ended") end(resolve)();
        else printed.push(message.text());
      });
      page.on("pageerror", (error) =>
        end(reject)(new Error(`bundled, its example failed in the browser: ${error.stack}`)),
      );
      page.goto(`http://127.0.0.1:${server.address().port}/`).catch(end(reject));
    });
    if (printed.length === 0) throw new Error("bundled, its example printed nothing in the browser");
  } finally {
    await page.close();
    server.close();
  }
}
