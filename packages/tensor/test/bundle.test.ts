import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build as esbuild } from "esbuild";
import { build as vite } from "vite";
import { afterAll, expect, it } from "vitest";

const here = fileURLToPath(new URL(".", import.meta.url));

/** An application that takes gradients with the light entry only, and gives them back. */
const application = `
import "@dcr-js/tensor/gradients";
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
const x = tf.tensor2d([[1, 2], [3, 4]]);
const row = tf.tensor1d([2, 5]);
const gradients = {
  mean: Array.from(tf.grad((y) => tf.mean(tf.square(y)))(x).dataSync()),
  prod: Array.from(tf.grad((y) => tf.prod(y, 1))(x).dataSync()),
  squaredDifference: Array.from(tf.grad((y) => tf.squaredDifference(x, y))(row).dataSync()),
  gather: Array.from(tf.grad((y) => tf.gather(y, tf.tensor2d([[1, 0], [0, 0]], [2, 2], "int32"), 1, 1))(x).dataSync()),
  second: Array.from(tf.grad((y) => tf.grad((z) => tf.tanh(z))(y))(tf.tensor1d([0.5])).dataSync()),
};
console.log("RESULT" + JSON.stringify(gradients));
`;
const folder = await mkdtemp(join(tmpdir(), "bundle-"));
afterAll(() => rm(folder, { recursive: true }));

/** As for browsers, whose bundles lost gradients to tree shaking; the rest is as Node needs it, where they run here. */
const mainFields = ["module", "main"];

const bundlers: Record<string, () => Promise<string>> = {
  esbuild: async () => {
    const { outputFiles } = await esbuild({
      stdin: { contents: application, resolveDir: here },
      bundle: true,
      minify: true,
      format: "esm",
      platform: "node",
      mainFields,
      banner: {
        js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
      },
      write: false,
    });
    return outputFiles[0].text;
  },
  Vite: async () => {
    const entry = join(here, "application.js");
    const plugin = {
      name: "application",
      enforce: "pre",
      resolveId: (id: string) => (id === entry ? entry : undefined),
      load: (id: string) => (id === entry ? application : undefined),
    } as const;
    const output = await vite({
      configFile: false,
      logLevel: "silent",
      root: here,
      plugins: [plugin],
      resolve: { mainFields },
      ssr: { noExternal: true },
      build: { write: false, minify: true, ssr: entry },
    });
    const [chunk] = ([output].flat()[0] as { output: { code: string }[] }).output;
    return chunk.code;
  },
};

it.each(Object.entries(bundlers))("keeps every gradient in a bundle by %s", async (name, bundle) => {
  const file = join(folder, `${name}.mjs`);
  await writeFile(file, await bundle());
  // In a process of its own: the registry of gradients is one for all copies of tfjs-core in a process.
  const { stdout } = await promisify(execFile)(process.execPath, [file]);
  const gradients = JSON.parse(stdout.slice(stdout.indexOf("RESULT") + 6));
  const slope = 1 - Math.tanh(0.5) ** 2;
  expect(gradients).toEqual({
    mean: [0.5, 1, 1.5, 2],
    prod: [2, 1, 4, 3],
    squaredDifference: [0, 8],
    gather: [1, 1, 2, 0],
    second: [expect.closeTo(-2 * Math.tanh(0.5) * slope, 5)],
  });
});

// Node's entry of tfjs-backend-cpu is not among the files that its package.json says to keep, and CommonJS has no import.meta.url.
it.each([
  ["cpu", "esm"],
  ["cpu", "cjs"],
  ["wasm", "cjs"],
] as const)("starts %s in a program for Node, bundled as %s", async (device, format) => {
  const contents = `
    import { initialize } from "@dcr-js/tensor";
    import * as tf from "@tensorflow/tfjs-core";
    initialize({ device: "${device}" }).then(() => {
      const gradient = tf.grad((x) => tf.mean(tf.square(x)))(tf.tensor1d([1, 3]));
      console.log("RESULT" + JSON.stringify([tf.getBackend(), ...gradient.dataSync()]));
      process.exit(0);
    });`;
  const file = join(folder, `${device}.${format === "esm" ? "mjs" : "cjs"}`);
  const banner =
    'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';
  await esbuild({
    stdin: { contents, resolveDir: here },
    bundle: true,
    format,
    platform: "node",
    external: ["webgpu"],
    banner: { js: format === "esm" ? banner : "" },
    logLevel: "error",
    outfile: file,
  });
  // Outside a project, Node looks for tfjs-backend-wasm's files in NODE_PATH.
  const { stdout } = await promisify(execFile)(process.execPath, [file], {
    env: { ...process.env, NODE_PATH: join(here, "../../../node_modules") },
  });
  expect(JSON.parse(stdout.slice(stdout.indexOf("RESULT") + 6))).toEqual([device, 1, 3]);
});
