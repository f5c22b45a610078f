import { readFileSync } from "node:fs";

/** The README's table of aggregators, row by row, by the names of its columns. */
export function readAggregatorTable(): Record<string, Record<string, string>> {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const lines = readme.slice(readme.indexOf("| aggregator |")).split("\n\n")[0].split("\n");
  const cells = (line: string) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim());
  const [head, , ...rows] = lines.map(cells);
  return Object.fromEntries(
    rows.map((row) => [
      row[0].replaceAll("`", ""),
      Object.fromEntries(head.map((name, i) => [name, row[i]])),
    ]),
  );
}
