// Runs the package in headless Chromium, on its WebGPU software adapter (SwiftShader): the fused ops against PyTorch's
// values, training, and a part of tfjs-core's operator suite; and on WebAssembly, with and without threads. Needs a built package and a Chromium: the one that CHROMIUM
// names, else /usr/bin/chromium, else Playwright's own. Exits with 1 when a spec failed, and with 77 when there is no browser.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { chromium } from "playwright-core";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const { resolve } = createRequire(import.meta.url);
const wasm = dirname(resolve("@tensorflow/tfjs-backend-wasm/package.json"));
// The suites of each page. A page that is cross-origin isolated has memory that threads share, if its workers start.
const isolation = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
};
const pages = [
  { name: "package", device: /swiftshader/i },
  { name: "wasm", device: /threads: 1/ },
  { name: "wasm", kind: "isolated", device: /threads: 2/, headers: isolation },
  { name: "wasm", kind: "minified", device: /threads: 1/, headers: isolation },
  {
    name: "wasm",
    kind: "no-workers",
    device: /threads: 1/,
    headers: { ...isolation, "content-security-policy": "worker-src 'none'" },
  },
  { name: "operators", device: /swiftshader/i },
].map((page) => ({ ...page, path: page.kind ? `${page.name}-${page.kind}` : page.name }));
const limitMs = 300_000;

const { CHROMIUM } = process.env;
const executablePath = (CHROMIUM ? [CHROMIUM] : ["/usr/bin/chromium", chromium.executablePath()]).find(
  existsSync,
);
if (!executablePath) {
  console.log(
    "no browser: set CHROMIUM to a Chromium's path, or install one (Debian: apt-get install chromium)",
  );
  process.exit(77);
}

const served = new Map([
  ["/jasmine.js", resolve("jasmine-core/lib/jasmine-core/jasmine.js")],
  ["/ops.safetensors", join(root, "fixtures/ops.safetensors")],
]);
for (const kind of ["", "-simd", "-threaded-simd"]) {
  const name = `tfjs-backend-wasm${kind}.wasm`;
  served.set(`/wasm/${name}`, join(wasm, "wasm-out", name));
}
const names = [...new Set(pages.map(({ name }) => name))];
const scripts = new Map(await Promise.all(names.map(async (name) => [`/${name}.js`, await bundle(name)])));
// The text that Vite's minifier makes of it.
const folded = scripts
  .get("/wasm.js")
  .replaceAll('typeof _scriptDir !== "undefined" && _scriptDir', "_scriptDir");
if (folded === scripts.get("/wasm.js"))
  throw new Error("tfjs-backend-wasm no longer asks for its script's place");
scripts.set("/wasm-minified.js", folded);
const types = { "": "text/html", ".js": "text/javascript", ".wasm": "application/wasm" };
const server = createServer(async ({ url }, response) => {
  const page = pages.find(({ path }) => url === `/${path}`);
  const script = scripts.has(`${url}.js`) ? url : `/${page?.name}`;
  const html = `<!doctype html><meta charset="utf-8"><script src="/jasmine.js"></script><script src="${script}.js"></script>`;
  const file = served.get(url);
  const body = file ? await readFile(file) : (scripts.get(url) ?? (page && html));
  const type = types[extname(url)] ?? "application/octet-stream";
  response.writeHead(body ? 200 : 404, { "content-type": type, ...page?.headers });
  response.end(body || "");
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

const browser = await launch();
let passed = 0;
let failed = 0;
try {
  const numbers = new Map();
  for (const { name: page, path, device: expected } of pages) {
    const began = Date.now();
    const results = await runPage(path, numbers.get(page) ?? null);
    const { device, passed: ok, excluded, failures } = results;
    if (!expected.test(device)) throw new Error(`${path}: expected ${expected}, ran on "${device}"`);
    numbers.set(page, results.numbers);
    for (const { name, message } of failures) console.log(`FAILED ${name}: ${message.split("\n")[0]}`);
    const seconds = Math.round((Date.now() - began) / 1000);
    console.log(
      `${path}: ${ok} passed, ${failures.length} failed, ${excluded} left out, on ${device} in ${seconds} s`,
    );
    passed += ok;
    failed += failures.length;
  }
} finally {
  await browser.close();
  server.close();
}
console.log(
  `Chromium ${browser.version()}: ${passed + failed} specs run, ${passed} passed, ${failed} failed`,
);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;

/** The page's script, as a user's bundler makes it; nothing in it may ask for a module of Node's or a native one. */
async function bundle(page) {
  const { outputFiles, metafile } = await build({
    entryPoints: [join(root, "test", "browser", `${page}.ts`)],
    bundle: true,
    format: "iife",
    globalName: "page",
    platform: "browser",
    target: "chrome120",
    // tfjs-core declares its specs and chained ops to be free of side effects.
    ignoreAnnotations: page === "operators",
    metafile: true,
    write: false,
    logLevel: "error",
  });
  const native = Object.keys(metafile.inputs).filter((input) => /node_modules\/webgpu\/|\.node$/.test(input));
  if (native.length > 0) throw new Error(`${page}: the browser's bundle holds ${native.join(", ")}`);
  return outputFiles[0].text;
}

function launch() {
  // Drivers meant for Dawn in Node are not the browser's.
  const { VK_DRIVER_FILES, VK_ICD_FILENAMES, ...env } = process.env;
  return chromium.launch({
    executablePath,
    env,
    args: [
      "--enable-unsafe-webgpu",
      "--use-webgpu-adapter=swiftshader",
      "--no-sandbox",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** `numbers`: what another page has found, for this one to compare. */
async function runPage(name, numbers) {
  const page = await browser.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(`http://127.0.0.1:${server.address().port}/${name}`);
  if (errors.length > 0) throw new Error(`${name}: its script failed: ${errors[0]}`);
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${name}: not done after ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([page.evaluate((numbers) => globalThis.page.run(numbers), numbers), late]);
  } finally {
    clearTimeout(timer);
    await page.close();
  }
}
