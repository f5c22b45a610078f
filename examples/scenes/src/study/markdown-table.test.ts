import { expect, it } from "vitest";
import { markdownTable } from "./markdown-table.js";

it("writes a row for each method under the titles", () => {
  expect(markdownTable(["P", "D"], [["`rec`", "1", "2"]])).toBe(
    "|  | P | D |\n| --- | --- | --- |\n| `rec` | 1 | 2 |",
  );
});
