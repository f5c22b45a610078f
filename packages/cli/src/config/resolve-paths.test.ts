import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { resolvePaths } from "./resolve-paths.js";
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
