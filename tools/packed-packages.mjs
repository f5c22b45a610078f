/** The packages as their users get them: packed, and installed in an empty project. Needs built packages and the npm registry. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));

/** Folders of the packages that are published. */
export const packages = readdirSync(join(root, "packages"))
  .filter((name) => existsSync(join(root, "packages", name, "package.json")))
  .filter((name) => !readJson(join(root, "packages", name, "package.json")).private);

/** Runs a program to its end and returns what it printed. */
export function run(cwd, program, args, options = {}) {
  const { status, signal, error, stdout, stderr } = spawnSync(program, args, {
    cwd,
    encoding: "utf8",
    maxBuffer: 2 ** 26,
    ...options,
  });
  if (status === 0) return stdout;
  const how = error?.message ?? (signal ? `stopped by ${signal}` : `exit code ${status}`);
  throw new Error(`${program} ${args.join(" ")} failed (${how})\n${stdout ?? ""}${stderr ?? ""}`);
}

function npm(cwd, ...args) {
  const all = [...args, "--no-audit", "--no-fund", "--loglevel=error"];
  // npm tells its scripts where it is; elsewhere the shell finds it, on Windows as npm.cmd.
  const path = process.env.npm_execpath;
  if (path?.endsWith("js")) return run(cwd, process.execPath, [path, ...all]);
  return run(cwd, "npm", all, { shell: process.platform === "win32" });
}

/** Packs every package into a folder. @returns the tarballs' paths by the packages' names */
export function packAll(folder) {
  return new Map(packages.map((name) => [`@dcr-js/${name}`, pack(name, folder)]));
}

/** Packs one package, checks the list of its files, and returns the tarball's path. */
function pack(name, folder) {
  const output = npm(root, "pack", "--json", "--workspace", `packages/${name}`, "--pack-destination", folder);
  const [{ filename, files }] = JSON.parse(output);
  const paths = files.map((file) => file.path);
  for (const needed of ["package.json", "README.md", "LICENSE", "dist/index.js", "dist/index.d.ts"]) {
    if (!paths.includes(needed)) throw new Error(`packages/${name}: its tarball lacks ${needed}`);
  }
  const stray = paths.filter((path) => /\.test\.|^(fixtures|node_modules)\/|test-results/.test(path));
  if (stray.length > 0) throw new Error(`packages/${name}: its tarball holds ${stray.join(", ")}`);
  return join(folder, filename);
}

/** Makes a project that depends on the packages of `names`, ours and others, and installs it. */
export function installProject(project, names, tarballs) {
  mkdirSync(project);
  const locked = readJson(join(root, "package-lock.json")).packages;
  const dependencies = Object.fromEntries(
    names.map((name) => {
      if (tarballs.has(name)) return [name, `file:${tarballs.get(name)}`];
      return [name, locked[`node_modules/${name}`]?.version ?? "latest"];
    }),
  );
  // Nothing is published yet, so what our packages depend on comes from the tarballs too.
  const overrides = Object.fromEntries(
    [...tarballs].filter(([ours]) => !dependencies[ours]).map(([ours, path]) => [ours, `file:${path}`]),
  );
  writeFileSync(
    join(project, "package.json"),
    JSON.stringify({ private: true, type: "module", dependencies, overrides }, null, 2),
  );
  npm(project, "install", "--prefer-offline");
}
