import { checkOptions, checkText, describe } from "../shared/check-options.js";
import { parseJson } from "../shared/json.js";
import { nodeModule } from "../shared/node-modules.js";
import { fingerprintOf, type ImageEntry, type IndexedDataset, sortedLabels } from "./dataset.js";
import { firstRepeated } from "./first-repeated.js";

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
  const folder = root === undefined ? dirname(file) : checkText("imageTable: root", root);
  const wanted = new Set([...Object.values(columns), ...Object.values(usualNames).flat()]);
  const found = new Set<string>();
  const rows: Row[] = [];
  for await (const { line, row } of readRows(file)) {
    const used = Object.entries(row).filter(([name]) => wanted.has(name));
    for (const name of Object.keys(row)) if (wanted.has(name) || found.size < shownColumns) found.add(name);
    rows.push({ line, row: Object.fromEntries(used) });
  }
  if (rows.length === 0) throw new Error(`imageTable: ${file} lists no images`);
  // Lines of JSONL may each have other keys, so that no column is known before the last line.
  const roles = findColumns(file, [...found], columns);
  const entries = rows.map(({ line, row }): ImageEntry => {
    const where = `imageTable: ${file}, line ${line}`;
    const name = textOf(where, row, roles.image!);
    if (!name) throw new Error(`${where}: "${roles.image}" is empty`);
    if (/^[a-z][a-z0-9+.-]+:\/\//i.test(name)) {
      throw new Error(`${where}: ${describe(name)} is a URL; images are read only from files`);
    }
    return {
      name,
      content: { path: resolve(folder, name) },
      caption: roles.caption && textOf(where, row, roles.caption),
      label: roles.label && textOf(where, row, roles.label),
    };
  });
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

/** A longer line or record is no row of a table of images. */
const maxLineBytes = 2 ** 20;
/** Of columns that play no part, no more are remembered for errors. */
const shownColumns = 20;

async function* readRows(file: string): AsyncGenerator<Row> {
  const ending = file.slice(file.lastIndexOf(".") + 1).toLowerCase();
  if (ending === "jsonl" || ending === "ndjson") yield* readLines(file);
  else if (ending === "csv" || ending === "tsv") yield* readRecords(file, ending === "tsv");
  else throw new Error(`imageTable: ${file} must end in .csv, .tsv, .jsonl or .ndjson`);
}

async function* readLines(file: string): AsyncGenerator<Row> {
  let line = 0;
  for await (const bytes of linesOf(file)) {
    line++;
    const where = `imageTable: ${file}, line ${line}`;
    if (bytes.every((byte) => byte <= 0x20)) continue;
    let value: unknown;
    try {
      value = parseJson(bytes);
    } catch (error) {
      throw new Error(`${where}: not valid JSON: ${(error as Error).message}`);
    }
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new Error(`${where}: expected an object, got ${describe(value)}`);
    }
    yield { line, row: value as Record<string, unknown> };
  }
}

/** The lines of a file, which end in LF or CRLF, without a byte order mark. */
async function* linesOf(file: string): AsyncGenerator<Uint8Array> {
  const { createReadStream } = nodeModule("node:fs");
  let rest: Uint8Array = new Uint8Array();
  let line = 1;
  for await (const chunk of createReadStream(file) as AsyncIterable<Uint8Array>) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      yield Buffer.concat([rest, chunk.subarray(start, end)]);
      rest = new Uint8Array();
      start = end + 1;
      line++;
    }
    rest = Buffer.concat([rest, chunk.subarray(start)]);
    if (rest.length > maxLineBytes) {
      throw new Error(`imageTable: ${file}, line ${line}: longer than ${maxLineBytes} bytes`);
    }
  }
  if (rest.length > 0) yield rest;
}

async function* readRecords(file: string, isTabbed: boolean): AsyncGenerator<Row> {
  const { createReadStream } = nodeModule("node:fs");
  const { pipeline } = nodeModule("node:stream");
  const { parse } = await import("csv-parse");
  const parser = parse({
    columns: (names: string[]) => checkHeader(names),
    bom: true,
    info: true,
    skip_empty_lines: true,
    max_record_size: maxLineBytes,
    delimiter: isTabbed ? "\t" : ",",
    // Tab-separated files hold quotation marks in captions and do not quote.
    quote: isTabbed ? null : '"',
  });
  // The reader of the last stream sees the errors of all.
  const records = pipeline(createReadStream(file), checkUTF8, parser, () => {});
  try {
    for await (const { record, info } of records) yield { line: info.lines, row: record };
  } catch (error) {
    throw new Error(`imageTable: ${file}: ${(error as Error).message}`);
  } finally {
    records.destroy();
  }
}

/** Two columns of one name would leave the values of the first unread. */
function checkHeader(names: string[]): string[] {
  const twice = firstRepeated(names);
  if (twice === undefined) return names;
  throw new Error(`line 1: the column ${describe(twice)} is there twice`);
}

async function* checkUTF8(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let line = 1;
  const check = (chunk?: Uint8Array) => {
    try {
      for (const character of decoder.decode(chunk, { stream: chunk !== undefined })) {
        if (character === "\n") line++;
      }
    } catch {
      throw new Error(`not UTF-8, from line ${line} on`);
    }
  };
  for await (const chunk of chunks) {
    check(chunk);
    yield chunk;
  }
  check();
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
  const value = Object.hasOwn(row, column) ? row[column] : undefined;
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string" || typeof value === "number") return String(value);
  throw new Error(`${where}: "${column}" must be text, got ${describe(value)}`);
}
