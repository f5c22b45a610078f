// An esbuild plugin: files of tfjs-core whose exports the package offers publicly are imported from the package. A bundle of its gradients
// then holds the gradients and no second copy of its ops and of its engine.
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import tf from "@tensorflow/tfjs-core";

const CORE = "@tensorflow/tfjs-core";

/** Files with private exports beside the public ones that gradients need. */
const written = {
  base: `export { backend_util } from "${CORE}";\n`,
  engine: `import { engine } from "${CORE}";\nexport const ENGINE = engine();\n`,
  environment: `export { env } from "${CORE}";\n`,
  tensor: `import { Tensor } from "${CORE}";\nexport const getGlobalTensorClass = () => Tensor;\n`,
};

/** Files whose exports are public as members of a namespace. */
const namespaces = {
  axis_util: "backend_util",
  broadcast_util: "broadcast_util",
  conv_util: "backend_util",
  selu_util: "backend_util",
  slice_util: "slice_util",
  util: "util",
};

export const publicTfjsCore = {
  name: "public-tfjs-core",
  setup(build) {
    build.onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir }) => {
      const file = [join(resolveDir, `${path}.js`), join(resolveDir, path)].find(existsSync);
      return file && publicModule(file) ? { path: file, namespace: "public" } : undefined;
    });
    build.onLoad({ filter: /./, namespace: "public" }, ({ path }) => ({
      contents: publicModule(path),
      resolveDir: dirname(path),
    }));
  },
};

/** A module that takes a file's exports from the package, or undefined where one of them is not public. */
function publicModule(file) {
  const name = basename(file, ".js");
  // A kernel's name is shorter than its import.
  if (name === "kernel_names") return undefined;
  if (written[name]) return written[name];
  const exported = exportsOf(file);
  const namespace = namespaces[name];
  if (namespace) {
    const members = exported.filter((one) => one in tf[namespace]);
    const lines = members.map((one) => `export const ${one} = ${namespace}.${one};`);
    return `import { ${namespace} } from "${CORE}";\n${lines.join("\n")}\n`;
  }
  if (exported.length === 0 || !exported.every((one) => one in tf)) return undefined;
  return `export { ${exported.join(", ")} } from "${CORE}";\n`;
}

/** The names that a file exports, with those of the files that it exports whole. */
function exportsOf(file) {
  const source = readFileSync(file, "utf8");
  const declared = [...source.matchAll(/^export (?:const|let|var|function|class) (\w+)/gm)].map(
    ([, name]) => name,
  );
  const listed = [...source.matchAll(/^export \{([^}]*)\}/gm)].flatMap(([, names]) =>
    names.split(",").map((one) => one.trim().split(" as ").at(-1)),
  );
  const whole = [...source.matchAll(/^export \* from ["'](.+)["']/gm)].flatMap(([, path]) =>
    exportsOf(join(dirname(file), `${path}.js`)),
  );
  return [...declared, ...listed, ...whole].filter(Boolean);
}
