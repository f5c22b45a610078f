import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ImageTableOptions, imageTable } from "./image-table.js";

let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "image-table-"));
});
afterAll(() => rm(root, { recursive: true }));

async function read(name: string, text: string | Buffer | Buffer, options?: ImageTableOptions) {
  const file = join(root, name);
  await writeFile(file, text);
  const dataset = await imageTable(file, options);
  return { dataset, rows: Array.from({ length: dataset.length }, (_, i) => dataset.entry(i)) };
}

describe("imageTable", () => {
  it("reads CSV with quotes, a byte order mark, CRLF and empty lines", async () => {
    const text = '\ufeffpath,caption,label\r\na/1.jpg,"a ""red"", round\nthing",x\r\n\r\n/b/2.png,,y\r\n';
    const { dataset, rows } = await read("a.csv", text);
    expect(rows).toEqual([
      {
        name: "a/1.jpg",
        content: { path: join(root, "a/1.jpg") },
        caption: 'a "red", round\nthing',
        label: "x",
      },
      { name: "/b/2.png", content: { path: "/b/2.png" }, caption: "", label: "y" },
    ]);
    expect(dataset.labels).toEqual(["x", "y"]);
  });

  it("reads TSV as open_clip writes it, quotation marks and all", async () => {
    const { rows } = await read("a.tsv", 'filepath\ttitle\n1.jpg\t"half a quote\n2.jpg\t5" nail\n');
    expect(rows.map(({ name, caption }) => [name, caption])).toEqual([
      ["1.jpg", '"half a quote'],
      ["2.jpg", '5" nail'],
    ]);
  });

  it("reads a byte order mark, CRLF, empty lines and a last line without an end", async () => {
    for (const [name, text] of [
      ["bom.csv", "\uFEFFpath,caption\r\n\r\n1.jpg,é\r\n2.jpg,b"],
      ["bom.jsonl", '\uFEFF{"path":"1.jpg","caption":"é"}\r\n\r\n  \r\n{"path":"2.jpg","caption":"b"}'],
    ] as const) {
      const { rows } = await read(name, text);
      expect(rows.map(({ name, caption }) => [name, caption])).toEqual([
        ["1.jpg", "é"],
        ["2.jpg", "b"],
      ]);
    }
  });

  it("finds a key of JSONL that the first line lacks, and characters that a read cuts in two", async () => {
    const lines = Array.from({ length: 5000 }, (_, i) =>
      JSON.stringify(i === 0 ? { path: "0.jpg" } : { path: `${i}.jpg`, text: "äöü€𝄞".repeat(3) }),
    );
    const { rows } = await read("late.jsonl", lines.join("\n"));
    expect(rows.length).toBe(5000);
    expect(rows[0]!.caption).toBeUndefined();
    expect(rows.slice(1).every(({ caption }) => caption === "äöü€𝄞".repeat(3))).toBe(true);
  });

  it("reads JSONL, and columns by name from a root", async () => {
    const text = '{"img": "1.jpg", "words": "one", "n": 3}\n\n{"img": "2.jpg"}\n';
    const columns = { image: "img", caption: "words", label: "n" };
    const { rows } = await read("a.jsonl", text, { columns, root: "/data" });
    expect(rows).toEqual([
      { name: "1.jpg", content: { path: "/data/1.jpg" }, caption: "one", label: "3" },
      { name: "2.jpg", content: { path: "/data/2.jpg" }, caption: undefined, label: undefined },
    ]);
  });

  it.each([
    [
      "no.csv",
      "a,b\n1,2\n",
      /no\.csv has no column named image, path, .*; name one with columns\.image\. It has a, b/,
    ],
    ["empty.csv", "path\n", /empty\.csv lists no images/],
    ["blank.csv", "path,caption\n,x\n", /blank\.csv, line 2: "path" is empty/],
    ["ragged.csv", "path,caption\na.jpg\n", /ragged\.csv: .*line 2/],
    [
      "url.tsv",
      "path\nhttps://example.org/a.jpg\n",
      /url\.tsv, line 2: "https:.*" is a URL; images are read only from files/,
    ],
    ["bad.jsonl", '{"path": "a.jpg"}\n{oops\n', /bad\.jsonl, line 2: not valid JSON: /],
    ["twice.csv", "path,text,text\na.jpg,b,c\n", /twice\.csv: line 1: the column "text" is there twice/],
    ["twice.jsonl", '{"path":"a.jpg","path":"b.jpg"}\n', /twice\.jsonl, line 1: .*key "path" is there twice/],
    ["latin.csv", Buffer.from("path\na.jpg\n\xe9.jpg\n", "latin1"), /latin\.csv: not UTF-8, from line 1 on/],
    [
      "latin.jsonl",
      Buffer.from('{"path":"a.jpg"}\n{"path":"\xe9"}\n', "latin1"),
      /latin\.jsonl, line 2: .*not UTF-8/,
    ],
    ["long.jsonl", `{"path":"${"a".repeat(3e6)}"}\n`, /long\.jsonl, line 1: longer than 1048576 bytes/],
    ["long.csv", `path\n"${"a".repeat(3e6)}"\n`, /long\.csv: .*(1048576|max_record_size)/i],
    ["deep.jsonl", `${"[".repeat(1e5)}\n`, /deep\.jsonl, line 1: not valid JSON: nested more than 64 deep/],
    ["list.jsonl", "[1]\n", /list\.jsonl, line 1: expected an object, got an array of 1/],
    ["type.jsonl", '{"path": {"a": 1}}\n', /type\.jsonl, line 1: "path" must be text, got a Object/],
    ["x.txt", "a", /x\.txt must end in \.csv, \.tsv, \.jsonl or \.ndjson/],
  ])("names what is wrong with %s", async (name, text, message) => {
    await expect(read(name, text)).rejects.toThrow(message);
  });

  it("names columns and options that are not there", async () => {
    await expect(read("a.csv", "path\na.jpg\n", { columns: { caption: "alt" } })).rejects.toThrow(
      /has no column "alt"; it has path/,
    );
    await expect(read("a.csv", "path\n", { columns: { text: "alt" } as never })).rejects.toThrow(
      /unknown option "text"/,
    );
    await expect(imageTable(join(root, "missing.csv"))).rejects.toThrow(/missing\.csv is missing or no file/);
  });
});
