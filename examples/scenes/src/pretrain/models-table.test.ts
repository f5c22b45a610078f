import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { withModelsTable } from "./models-table.js";
import { readRecords } from "./training-records.js";

const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));

describe("withModelsTable", () => {
  it("finds in the README the tables of the committed records", () => {
    const readme = readFileSync(path("README.md"), "utf8");
    expect(withModelsTable(readme, readRecords(path("models")))).toBe(readme);
  });

  it("names the mark that it misses", () => {
    expect(() => withModelsTable("# Scenes\n", [])).toThrow("<!-- models -->");
  });
});
