import { expect, it } from "vitest";
import { confusionMatrix } from "../probe/confusion-matrix.js";
import { type EvaluationReport, reportHTML } from "./evaluation-report.js";

const image = "data:image/png;base64,iVBORw0KGgo=";
const report: EvaluationReport = {
  title: "<CLIP> & co",
  sections: [
    {
      kind: "table",
      title: "D",
      columns: ["name", "NMI"],
      rows: [
        ["a<b", 0.123456],
        ["c", 1],
      ],
    },
    {
      kind: "shares",
      title: "Patterns",
      shares: [{ name: "Texts", value: 0.25, interval: [0.1, 0.5], count: 12 }],
    },
    { kind: "confusion", title: "Confusion", ...confusionMatrix(["cat", "dog"], ["dog", "dog"]) },
    {
      kind: "points",
      title: "t-SNE",
      points: [
        [0, 0],
        [1, 2],
      ],
      labels: ["cat", "dog"],
    },
    {
      kind: "gallery",
      title: "Neighbours",
      rows: [
        {
          query: { image, caption: "q" },
          neighbours: [{ image, caption: "n", similarity: 0.98765, right: false }],
        },
      ],
    },
  ],
};

it("is one page with every section, that loads nothing", () => {
  const html = reportHTML(report);
  expect(html).toContain("<title>&lt;CLIP&gt; &amp; co</title>");
  expect(html).toContain("<td>a&lt;b</td><td>0.1235</td>");
  expect(html).toContain("<td>Texts</td><td>25.0 %</td><td>10.0 % to 50.0 %</td><td>12</td>");
  expect(html).toContain(
    '<tr><th>cat</th><td style="background: rgb(31 119 180 / 0.000)">0</td><td style="background: rgb(31 119 180 / 1.000)">1</td></tr>',
  );
  expect(html.match(/<circle /g)).toHaveLength(2);
  expect(html).toContain('cx="490.0" cy="490.0"');
  expect(html).toContain('<figure class="wrong"><img src="data:image/png');
  expect(html).toContain("n 0.988");
  expect(html).not.toMatch(/<script|https?:|<link/);
});

it("is plain data as JSON", () => {
  const again = JSON.parse(JSON.stringify(report)) as EvaluationReport;
  expect(reportHTML(again)).toBe(reportHTML(report));
});

it.each<[object, RegExp]>([
  [{ kind: "chart", title: "x" }, /sections\[0\]: kind must be one of table, shares, .*, got "chart"/],
  [
    { kind: "table", title: "x", columns: ["a"], rows: [[1, 2]] },
    /rows\[0\] must have 1 cells, one for each column, got 2/,
  ],
  [{ kind: "confusion", title: "x", classes: ["a"], counts: [] }, /counts must be 1 x 1/],
  [{ kind: "points", title: "x", points: [[0, Number.NaN]] }, /points\[0\] must be two finite numbers/],
  [
    { kind: "points", title: "x", points: [[0, 1]], labels: [] },
    /labels must hold one for each of 1 points, got 0/,
  ],
  [
    {
      kind: "gallery",
      title: "x",
      rows: [{ query: { image: "http://x/y.png", caption: "" }, neighbours: [] }],
    },
    /rows\[0\].query must have a base64 data:image URL/,
  ],
  [{ kind: "table", title: "x", columns: ["a"] }, /sections\[0\]: rows must be a list, got undefined/],
  [
    { kind: "table", title: "x", columns: ["a"], rows: [[null]] },
    /sections\[0\]: rows\[0\]\[0\] must be a text or a number, got null/,
  ],
  [{ kind: "table", title: "x", columns: "a", rows: [] }, /columns must be a list, got "a"/],
  [{ kind: "shares", title: "x" }, /shares must be a list, got undefined/],
  [
    { kind: "shares", title: "x", shares: [{ name: "a" }] },
    /shares\[0\] must have a value and an interval of numbers/,
  ],
  [{ kind: "confusion", title: "x", classes: ["a"] }, /counts must be a list, got undefined/],
  [{ kind: "points", title: "x" }, /points must be a list, got undefined/],
  [{ kind: "points", title: "x", points: [null] }, /points\[0\] must be two finite numbers, got null/],
  [
    { kind: "points", title: "x", points: [], colours: [] },
    /sections\[0\]: unknown option "colours"; expected some of kind, title, points, labels/,
  ],
  [{ kind: "toString", title: "x" }, /kind must be one of .*, got "toString"/],
  [{ kind: "gallery", title: "x" }, /rows must be a list, got undefined/],
  [{ kind: "gallery", title: "x", rows: [{}] }, /rows\[0\].neighbours must be a list, got undefined/],
  [{ kind: "gallery", title: "x", rows: [{ neighbours: [{}] }] }, /neighbours\[0\].similarity must be/],
])("refuses %j", (section, message) => {
  expect(() => reportHTML({ title: "t", sections: [section as never] })).toThrow(message);
  expect(() => reportHTML({ title: "t" } as never)).toThrow(/report must be \{ title, sections \}/);
  expect(() => reportHTML({ title: "t", sections: [], footer: "" } as never)).toThrow(
    'reportHTML: report: unknown option "footer"; expected some of title, sections',
  );
});

it("shows the pairs that are confused most, where the classes are too many for a matrix", () => {
  const classes = Array.from({ length: 1000 }, (_, i) => `class ${i}`);
  const counts = classes.map((_, i) => classes.map((_, j) => (i === j ? 40 : Number((i + j) % 100 === 0))));
  counts[7][9] = 8;
  const html = reportHTML({ title: "t", sections: [{ kind: "confusion", title: "c", classes, counts }] });
  expect(html.length).toBeLessThan(2e6);
  const kept = counts.flatMap((row, i) => row.filter((count, j) => i !== j && count > 0)).length;
  expect(html).toContain(`The 100 most frequent of ${kept} confusions of 1000 classes.`);
  const sum = counts[7].reduce((a, b) => a + b, 0);
  const first = `<td>class 7</td><td>class 9</td><td>8</td><td>${(800 / sum).toFixed(1)} %</td>`;
  expect(html).toContain(`<th>share of the label</th></tr><tr>${first}</tr>`);
});

it("shows large numbers plainly", () => {
  const rows = [[12345.678, -1000.25, 999.94, 0.000123456, 4000000]];
  const columns = ["a", "b", "c", "d", "e"];
  const html = reportHTML({ title: "t", sections: [{ kind: "table", title: "x", columns, rows }] });
  expect(html).toContain(
    "<tr><td>12345.7</td><td>-1000.3</td><td>999.9</td><td>0.0001235</td><td>4000000</td></tr>",
  );
});

it("is drawn as it was when it was looked at", async () => {
  const points: [number, number][] = Array.from({ length: 9 }, (_, i) => [i % 3, 10 * Math.floor(i / 3)]);
  await expect(
    reportHTML({
      title: "An evaluation",
      sections: [
        ...report.sections,
        { kind: "points", title: "Three classes", points, labels: points.map(([column]) => "abc"[column]) },
        { kind: "points", title: "No labels, in one row", points: points.slice(0, 3) },
        { kind: "shares", title: "Bare", shares: [{ name: "a", value: 1 }] },
      ],
    }),
  ).toMatchFileSnapshot("../../fixtures/evaluation-report.html");
});
