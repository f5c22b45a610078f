/** A Markdown table; the first column has no title. */
export function markdownTable(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [row(["", ...titles]), row(["---", ...titles.map(() => "---")]), ...rows.map(row)].join("\n");
}
