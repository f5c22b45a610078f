import { expect, it } from "vitest";
import { readDataset } from "../../test/read-dataset.js";
import { folderOf } from "../../test/temporary-folder.js";
import { mmvpVLM } from "./mmvp-vlm.js";

const header = "\uFEFFQuestion ID,Type,Statement\n";

it("reads questions and images in pairs", async () => {
  const folder = folderOf({
    "Questions.csv": `${header}1,Texts,"A sign, that says ""stop"""\n2,Texts,A sign\n3,Quantity and Count,One dog\n4,Quantity and Count,Two dogs\n`,
    ...Object.fromEntries([1, 2].map((i) => [`MLLM_VLM Images/Texts/${i}.jpg`, ""])),
    ...Object.fromEntries([3, 4].map((i) => [`MLLM_VLM Images/Quantity and Count/${i}.jpg`, ""])),
  });
  const { dataset, statements, patterns } = await mmvpVLM(folder, { prefix: "" });
  expect(patterns).toEqual(["Texts", "Quantity and Count"]);
  expect(statements).toEqual(['A sign, that says "stop"', "A sign", "One dog", "Two dogs"]);
  expect((await readDataset(dataset)).map(({ name }) => name)).toEqual([
    "Texts/1.jpg",
    "Texts/2.jpg",
    "Quantity and Count/3.jpg",
    "Quantity and Count/4.jpg",
  ]);
});

it("puts the published script's words before each statement, or others", async () => {
  const folder = folderOf({
    "Questions.csv": `${header}1,Texts,one dog\n2,Texts,two dogs\n`,
    ...Object.fromEntries([1, 2].map((i) => [`MLLM_VLM Images/Texts/${i}.jpg`, ""])),
  });
  expect((await mmvpVLM(folder)).statements).toEqual(["a photo of one dog", "a photo of two dogs"]);
  expect((await mmvpVLM(folder, { prefix: "A drawing: " })).statements[1]).toBe("A drawing: two dogs");
  await expect(mmvpVLM(folder, { prefix: 3 as never })).rejects.toThrow(
    "mmvpVLM: prefix must be a text, got 3",
  );
  await expect(mmvpVLM(folder, { template: "" } as never)).rejects.toThrow(
    'mmvpVLM: unknown option "template"; expected some of prefix',
  );
});

it.each([
  ["1,Texts,A\n", /expected pairs of questions, got 1 rows/],
  ["", /expected pairs of questions, got 0 rows/],
  ["1,Texts,A\n2,Quantity and Count,B\n", /rows 2 and 3 are a pair and must have one pattern/],
  ["x,Texts,A\n2,Texts,B\n", /row 2 must have a number, a pattern and a statement/],
  ["1,Texts\n2,Texts,B\n", /row 2 must have a number, a pattern and a statement, got 2 columns/],
  // The published script unpacks three columns, and fails at a fourth.
  [
    "1,Texts,a dog, running\n2,Texts,B\n",
    /row 2 must have .*, got 4 columns; a statement with a comma needs quotes/,
  ],
  ["Texts,1,A\nTexts,2,B\n", /row 2 must have a number, a pattern and a statement, got "Texts,1,A"/],
  ['1,Texts,"A\n2,Texts,B\n', /^mmvpVLM: .*Questions.csv: Quote Not Closed/],
  ["1,Texts,A\n2,Texts,B\n", /MLLM_VLM Images.*1.jpg: no such file/],
  ["1,Texts,A\n1,Texts,B\n", /the image of row 3 must differ from .*row 2, got "Texts\/1.jpg" twice/],
  ["1,../x,A\n2,../x,B\n", /row 2: pattern must name a file below its folder, got "..\/x"/],
])("refuses %j", async (rows, message) => {
  await expect(mmvpVLM(folderOf({ "Questions.csv": header + rows }))).rejects.toThrow(message);
});

it("refuses a table without the columns' names", async () => {
  const rows = "1,Texts,A\n2,Texts,B\n";
  await expect(mmvpVLM(folderOf({ "Questions.csv": rows }))).rejects.toThrow(
    /Questions.csv: row 1 must name the columns, such as Question ID,Type,Statement, got "1,Texts,A"/,
  );
  await expect(mmvpVLM(folderOf({ "Questions.csv": "" }))).rejects.toThrow(/row 1 must name .*, got nothing/);
});
