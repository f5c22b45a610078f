// node benchmarks/gpu-check/build.mjs: builds benchmarks/gpu-check/dist/dcr-gpu-check.tar.gz for a Linux x86-64 machine with nothing but a
// GPU's driver: Node, Dawn, the Vulkan loader, the bundled packages and the scenes example's models. Needs built packages (npm run build), a
// Linux x86-64 machine with apt-get and dpkg of Debian, and strip. See benchmarks/README.md.
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../..");
const name = "dcr-gpu-check";
const out = join(here, "dist");
const bundle = join(out, name);
const app = join(bundle, "app");
const mostBytes = 60e6;
const mib = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const run = (program, args, options) =>
  execFileSync(program, args, { stdio: ["ignore", "pipe", "inherit"], encoding: "utf8", ...options });

if (process.platform !== "linux" || process.arch !== "x64") {
  throw new Error(
    `gpu-check: the bundle takes this machine's Node, so build it on linux-x64, not ${process.platform}-${process.arch}`,
  );
}
rmSync(out, { recursive: true, force: true });
mkdirSync(join(bundle, "bin"), { recursive: true });

// Node, without its symbols.
run("strip", ["-o", join(bundle, "bin/node"), process.execPath]);
chmodSync(join(bundle, "bin/node"), 0o755);

// Debian's Vulkan loader; what NVIDIA's GLX library links to; and C++'s run time, for machines that have none.
const libraries = {
  lib: { libvulkan1: ["libvulkan.so.1"] },
  "lib/x11": {
    "libx11-6": ["libX11.so.6"],
    libxext6: ["libXext.so.6"],
    libxcb1: ["libxcb.so.1"],
    libxau6: ["libXau.so.6"],
    libxdmcp6: ["libXdmcp.so.6"],
    libbsd0: ["libbsd.so.0"],
    libmd0: ["libmd.so.0"],
  },
  "lib/cxx": { "libstdc++6": ["libstdc++.so.6"], "libgcc-s1": ["libgcc_s.so.1"] },
};
const packages = Object.values(libraries).flatMap(Object.keys);
const debian = join(out, "debian");
mkdirSync(debian);
run("apt-get", ["download", "-o", "APT::Sandbox::User=root", ...packages], { cwd: debian });
const notices = [];
for (const [folder, of] of Object.entries(libraries)) {
  mkdirSync(join(bundle, folder), { recursive: true });
  for (const [debianName, files] of Object.entries(of)) {
    const deb = readdirSync(debian).find((file) => file.startsWith(`${debianName}_`));
    const unpacked = join(debian, debianName);
    run("dpkg", ["-x", join(debian, deb), unpacked]);
    notices.push(`${deb}: ${copyright(debianName, unpacked)}`);
    for (const file of files) {
      const from = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"]
        .map((path) => join(unpacked, path, file))
        .find(existsSync);
      if (!from) throw new Error(`gpu-check: ${deb} has no ${file}`);
      copyFileSync(from, join(bundle, folder, file));
    }
  }
}
writeFileSync(join(bundle, "lib/COPYRIGHT"), notices.join("\n\n"));

/** A package whose documents are a link into another package's has them on this machine, which runs Node by it. */
function copyright(debianName, unpacked) {
  const folders = [join(unpacked, "usr/share/doc", debianName), join("/usr/share/doc", debianName)];
  const file = folders.map((folder) => join(folder, "copyright")).find(existsSync);
  if (!file) throw new Error(`gpu-check: ${debianName} has no copyright file`);
  return readFileSync(file, "utf8");
}

// The packages. Each file keeps its import.meta.url from the repository, so it still finds the files beside it.
const whereItLies = {
  name: "where-it-lies",
  setup: ({ onLoad }) =>
    onLoad({ filter: /[\\/](packages|benchmarks)[\\/].*dist[\\/].*\.js$/ }, ({ path }) => {
      const text = readFileSync(path, "utf8");
      if (!text.includes("import.meta.url")) return undefined;
      const place = relative(root, path).split(sep).join("/");
      const url = `(new URL(${JSON.stringify(place)}, "file://" + encodeURI(process.env.DCR_BUNDLE) + "/").href)`;
      return { contents: text.replaceAll("import.meta.url", url), loader: "js" };
    }),
};
const external = ["webgpu", "sharp", "@node-rs/crc32", "jasmine-core"];
await build({
  absWorkingDir: root,
  entryPoints: [
    "benchmarks/dist/gpu-check/main.js",
    "benchmarks/dist/gpu-check/adapter.js",
    "benchmarks/dist/gpu-check/device-rows.js",
    "benchmarks/dist/full-size-step.js",
    "packages/cli/dist/main.js",
    "packages/cli/dist/train/job-process.js",
    "packages/cli/dist/device/probe-process.js",
    "packages/data/dist/pipeline/image-worker.js",
  ],
  outdir: app,
  outbase: root,
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20",
  minifyWhitespace: true,
  keepNames: true,
  ignoreAnnotations: true,
  external,
  banner: {
    js: 'import{createRequire as bundledRequire}from"node:module";const require=bundledRequire(import.meta.url);',
  },
  plugins: [whereItLies],
  logLevel: "error",
});
writeFileSync(join(app, "package.json"), '{ "type": "module" }\n');
cpSync(join(root, "packages/cli/package.json"), join(app, "packages/cli/package.json"));
const models = "examples/scenes/models/set-0";
cpSync(join(root, models), join(app, models), { recursive: true });

// tfjs-core's operator suite with our backend.
const scripts = join(app, "packages/tensor/scripts");
mkdirSync(scripts, { recursive: true });
const source = join(root, "packages/tensor/scripts");
run(process.execPath, [join(source, "conformance.mjs"), "--bundle", join(scripts, "conformance-ours.cjs")]);
cpSync(join(source, "conformance-run.mjs"), join(scripts, "conformance-run.mjs"));
const leftOut = JSON.parse(readFileSync(join(source, "conformance-left-out.json"), "utf8")).ours;
writeFileSync(
  join(scripts, "skip.json"),
  JSON.stringify({ ids: [], names: leftOut.map(({ spec }) => spec) }),
);

// The packages that cannot be bundled, and their dependencies, for linux-x64 only.
const copied = new Set();
function copyPackage(packageName, from) {
  const require = createRequire(join(from, "package.json"));
  const folder = require.resolve
    .paths(packageName)
    .map((path) => join(path, packageName))
    .find((path) => existsSync(join(path, "package.json")));
  if (!folder || copied.has(packageName)) return;
  copied.add(packageName);
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  cpSync(folder, join(app, "node_modules", packageName), {
    recursive: true,
    dereference: true,
    filter: (path) => {
      const inside = relative(folder, path).split(sep);
      if (inside.includes("node_modules") || /\.(d\.ts|map)$|README\.md$/.test(path)) return false;
      return (
        packageName !== "webgpu" || inside[0] !== "dist" || inside.length < 2 || inside[1] === "linux-x64"
      );
    },
  });
  const { dependencies = {}, optionalDependencies = {} } = manifest;
  for (const each of Object.keys(dependencies)) {
    if (!each.endsWith("/types")) copyPackage(each, folder);
  }
  for (const each of Object.keys(optionalDependencies)) {
    if (each.includes("linux-x64")) copyPackage(each, folder);
  }
}
for (const each of external)
  copyPackage(each, each === "jasmine-core" ? join(root, "packages/tensor") : join(root, "packages/cli"));

const dawn = join(app, "node_modules/webgpu/dist/linux-x64/dawn.node");
run("strip", ["--strip-unneeded", dawn]);

// Images for the main job.
run(process.execPath, [
  join(root, "examples/scenes/dist/export.js"),
  ...["--out", join(app, "images"), "--format", "folder", "--split", "train", "--count", "128"],
]);

copyFileSync(join(here, "gpu-check.sh"), join(bundle, "gpu-check.sh"));
chmodSync(join(bundle, "gpu-check.sh"), 0o755);
const dirty = run("git", ["status", "--porcelain"], { cwd: root }) === "" ? "" : " with changes";
writeFileSync(
  join(bundle, "VERSION"),
  `${run("git", ["rev-parse", "HEAD"], { cwd: root }).trim()}${dirty}\n`,
);
rmSync(debian, { recursive: true });
const archive = join(out, `${name}.tar.gz`);
run("tar", ["--use-compress-program=gzip -9", "-cf", archive, "-C", out, name]);
const { size } = statSync(archive);
console.log(`${relative(process.cwd(), archive)}: ${mib(size)} (${size} bytes)`);
if (size > mostBytes) throw new Error(`gpu-check: the bundle has ${size} bytes, more than ${mostBytes}`);
