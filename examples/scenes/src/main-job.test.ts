import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { exampleFolder } from "./study/cells.js";

it("the main job runs every method as the study chose it", () => {
  const chosen = join(exampleFolder, "study/chosen.json");
  expect(existsSync(chosen)).toBe(true);
  const byMethod = JSON.parse(readFileSync(chosen, "utf8")) as Record<string, object>;
  const { methods } = parse(readFileSync(join(exampleFolder, "scenes.yaml"), "utf8")) as {
    methods: unknown[];
  };
  expect(methods).toEqual([
    "original",
    ...Object.entries(byMethod).map(([method, settings]) => ({ ...settings, name: method })),
  ]);
});
