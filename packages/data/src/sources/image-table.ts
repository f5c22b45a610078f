import { checkOptions, describe } from "../shared/check-options.js";
import { nodeModule } from "../shared/node-modules.js";
import { fingerprintOf, type ImageEntry, type IndexedDataset, sortedLabels } from "./dataset.js";

export interface ImageTableOptions {
  /** Names of columns (of keys, in JSONL). By default the first of the usual names that the file has. */
  columns?: { image?: string; caption?: string; label?: string };
  /** The folder that relative paths start from. Default the table's own folder. */
  root?: string;
}

type Role = "image" | "caption" | "label";
const usualNames: Record<Role, readonly string[]> = {
  image: ["image", "path", "file", "filepath", "filename", "file_name", "image_path"],
  caption: ["caption", "title", "text", "description"],
  label: ["label", "class"],
};

/**
 * The images that a table lists: CSV or TSV with a header, or JSONL with an object on each line. An image's name is its path as the
 * table has it.
 *
 * @throws if the file is missing, cannot be parsed (with the line), or lacks a column of paths
 *
 * @example
 * const dataset = await imageTable("captions.tsv", { columns: { image: "filepath", caption: "title" } });
 */
export async function imageTable(file: string, options?: ImageTableOptions): Promise<IndexedDataset> {
  const { columns = {}, root } = checkOptions("imageTable", options, { columns: true, root: true });
  checkOptions("imageTable: columns", columns, { image: true, caption: true, label: true });
  const { dirname, resolve } = nodeModule("node:path");
  const { stat } = nodeModule("node:fs/promises");
  if (!(await stat(file).catch(() => undefined))?.isFile()) {
    throw new Error(`imageTable: ${file} is missing or no file`);
  }
  const folder = root ?? dirname(file);
  const entries: ImageEntry[] = [];
  let roles: Record<Role, string | undefined> | undefined;
  for await (const { line, row } of readRows(file)) {
    const where = `imageTable: ${file}, line ${line}`;
    roles ??= findColumns(file, Object.keys(row), columns);
    const name = textOf(where, row, roles.image!);
    if (!name) throw new Error(`${where}: "${roles.image}" is empty`);
    if (/^[a-z][a-z0-9+.-]+:\/\//i.test(name)) {
      throw new Error(`${where}: ${describe(name)} is a URL; images are read only from files`);
    }
    entries.push({
      name,
      content: { path: resolve(folder, name) },
      caption: roles.caption && textOf(where, row, roles.caption),
      label: roles.label && textOf(where, row, roles.label),
    });
  }
  if (entries.length === 0) throw new Error(`imageTable: ${file} lists no images`);
  return {
    access: "random",
    description: `the table ${file}`,
    fingerprint: fingerprintOf(
      "table",
      entries.map(({ name }) => name),
    ),
    length: entries.length,
    labels: sortedLabels(entries.map(({ label }) => label)),
    entry: (index) => entries[index]!,
  };
}

interface Row {
  line: number;
  row: Record<string, unknown>;
}

async function* readRows(file: string): AsyncGenerator<Row> {
  const { createReadStream } = nodeModule("node:fs");
  const ending = file.slice(file.lastIndexOf(".") + 1).toLowerCase();
  if (ending === "jsonl" || ending === "ndjson") {
    const { createInterface } = nodeModule("node:readline");
    let line = 0;
    for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
      line++;
      if (text.trim()) yield { line, row: parseObject(`imageTable: ${file}, line ${line}`, text) };
    }
  } else if (ending === "csv" || ending === "tsv") {
    const { parse } = await import("csv-parse");
    const parser = parse({
      columns: true,
      bom: true,
      info: true,
      skip_empty_lines: true,
      delimiter: ending === "tsv" ? "\t" : ",",
      // Tab-separated files hold quotation marks in captions and do not quote.
      quote: ending === "tsv" ? null : '"',
    });
    const input = createReadStream(file);
    input.on("error", (error) => parser.destroy(error));
    try {
      for await (const { record, info } of input.pipe(parser)) yield { line: info.lines, row: record };
    } catch (error) {
      throw new Error(`imageTable: ${file}: ${(error as Error).message}`);
    } finally {
      input.destroy();
    }
  } else {
    throw new Error(`imageTable: ${file} must end in .csv, .tsv, .jsonl or .ndjson`);
  }
}

function parseObject(where: string, text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error(`${where}: not valid JSON: ${describe(text)}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error(`${where}: expected an object, got ${describe(value)}`);
  }
  return value as Record<string, unknown>;
}

function findColumns(
  file: string,
  names: string[],
  given: Partial<Record<Role, string>>,
): Record<Role, string | undefined> {
  const find = (role: Role) => {
    const wanted = given[role];
    if (wanted === undefined) return usualNames[role].find((name) => names.includes(name));
    if (names.includes(wanted)) return wanted;
    throw new Error(`imageTable: ${file} has no column "${wanted}"; it has ${names.join(", ")}`);
  };
  const image = find("image");
  if (image === undefined) {
    throw new Error(
      `imageTable: ${file} has no column named ${usualNames.image.join(", ")}; name one with columns.image. It has ${names.join(", ")}`,
    );
  }
  return { image, caption: find("caption"), label: find("label") };
}

function textOf(where: string, row: Record<string, unknown>, column: string): string | undefined {
  const value = row[column];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string" || typeof value === "number") return String(value);
  throw new Error(`${where}: "${column}" must be text, got ${describe(value)}`);
}
