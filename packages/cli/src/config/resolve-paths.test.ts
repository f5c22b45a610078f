import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { absolutePath, resolvePaths } from "./resolve-paths.js";
import { defaultConfig } from "./run-config.js";

const here = dirname(fileURLToPath(import.meta.url));

it("makes paths absolute and leaves hub ids and our methods", () => {
  const config = resolvePaths(
    {
      ...defaultConfig,
      encoder: "openai/clip-vit-base-patch32",
      diffusion: "./sd",
      images: "a/{00..03}.tar",
      methods: [
        "dcr",
        "./my-loss.mjs",
        { name: "warm", method: "dcr", temperature: 1 },
        { name: "mine", method: "./my-loss.mjs" },
      ],
      latentCache: "cache",
      evaluate: ["mmvp:data/mmvp", "folder:/x", "./own.mjs"],
    },
    "/base",
  );
  expect(config).toMatchObject({
    encoder: "openai/clip-vit-base-patch32",
    diffusion: "/base/sd",
    images: "/base/a/{00..03}.tar",
    latentCache: "/base/cache",
    methods: [
      "dcr",
      "/base/my-loss.mjs",
      { name: "warm", method: "dcr", temperature: 1 },
      { name: "mine", method: "/base/my-loss.mjs" },
    ],
    evaluate: ["mmvp:/base/data/mmvp", "folder:/x", "/base/own.mjs"],
  });
  // Of an unset variable; the schema refuses it.
  expect(resolvePaths({ evaluate: ["folder:", "mmvp:", ""] }, "/base").evaluate).toEqual([
    "folder:",
    "mmvp:",
    "",
  ]);
  // A folder of that name goes before the hub.
  expect(resolvePaths({ ...config, encoder: "config" }, dirname(here)).encoder).toBe(here);
});

// Bash replaces "~" in `--out ~/runs` and not in `--out=~/runs`.
it.each(["~/runs", "~", "~me/runs", "$HOME/runs", `$${"{HOME}"}/runs`])(
  "refuses %s, which a shell did not replace",
  (path) => {
    const why = `${path}: a shell replaces "~" and variables only where it reads them, and it did not here; `;
    expect(() => absolutePath(path, "/base")).toThrow(
      `${why}write the whole path (a file of that name is ./${path})`,
    );
    for (const [key, value] of Object.entries({
      ...{ encoder: path, diffusion: path, images: path, latentCache: path, methods: ["dcr", path] },
      evaluate: [`folder:${path}`],
    })) {
      expect(() => resolvePaths({ [key]: value }, "/base")).toThrow(`${key}: ${why}`);
    }
    expect(absolutePath(`./${path}`, "/base")).toBe(`/base/${path}`);
  },
);
