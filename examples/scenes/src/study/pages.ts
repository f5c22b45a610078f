import { cellsOf } from "./cells.js";
import { chooseAll } from "./choose-all.js";
import { figure, methodNames, type PartResults, spreadOf } from "./comparisons.js";
import { type Costs, readCosts } from "./costs-results.js";
import { envelopeTable } from "./envelope-table.js";
import { layerConflictSection } from "./layer-conflict-page.js";
import { markdownTable } from "./markdown-table.js";
import { otherScenesSection } from "./other-scenes-page.js";
import { isComplete, partResults, withMethodsOf } from "./part-results.js";
import { sentencesOf, verdictOf, withInterval } from "./part-sentences.js";
import { conflictTable, factorTable, similarityTables, tableOf } from "./part-tables.js";
import { type Chosen, type StudyPart, testParts, tuningParts } from "./plan.js";
import { primaryComparison } from "./primary-comparison.js";
import { scatterFigure } from "./scatter-figure.js";
import { theoremOneSection } from "./theorem-1-page.js";

/** The questions that are measured on the encoders of question 1, by the name of their results. */
const measured = {
  "other-scenes": otherScenesSection,
  "question-4-layers": layerConflictSection,
  "question-6": theoremOneSection,
};

/** The sections on test, in the order of the questions' numbers. */
const order = [
  ...["question-1", "trade-off", "other-scenes", "question-2", "question-3"],
  ...["question-4", "question-4-layers", "question-5", "question-6", "question-7"],
];

/** The pages of the study and their figures, by file name: a function of the committed results only. */
export async function studyPages(folder?: string): Promise<Record<string, string>> {
  const pages: Record<string, string> = {};
  const tuning = [
    "# Tuning",
    "Each method's configurations on validation. [The study](README.md) has the questions.",
  ];
  for (const part of tuningParts) {
    const found = await partSection(part, part, { folder });
    tuning.push(found.section);
    Object.assign(pages, found.pictures);
  }
  pages["tuning.md"] = `${tuning.join("\n\n")}\n`;
  const chosen = await chooseAll(folder);
  const { sections, pictures } = chosen
    ? await testSections(chosen, folder)
    : { sections: ["## Questions on test\n\nNot run yet: tuning comes first."], pictures: {} };
  const start =
    "# The study\n\nGenerated from `examples/scenes/study/results` by `npm run study -w examples/scenes -- --pages`; `--check` compares. " +
    "[protocol.md](protocol.md) has the questions, the hypotheses and the rules, [tuning.md](tuning.md) the choice of each method's settings.";
  return { ...pages, ...pictures, "README.md": `${[start, ...sections].join("\n\n")}\n` };
}

interface Found {
  section: string;
  pictures: Record<string, string>;
  /** A row of the table of answers. */
  answer?: string[];
}

async function testSections(
  chosen: Chosen,
  folder?: string,
): Promise<{ sections: string[]; pictures: object }> {
  const [question1, ...others] = testParts(chosen);
  const costs = await readCosts(folder);
  const found = new Map<string, Found>();
  for (const part of [question1, ...others]) {
    found.set(part.name, await partSection(part, question1, { chosen, ...(costs && { costs }), folder }));
  }
  for (const [name, sectionOf] of Object.entries(measured)) {
    const { section, picture } = await sectionOf(cellsOf(question1), folder);
    found.set(name, { section, pictures: picture ? { [`${name}.svg`]: picture } : {} });
  }
  const ordered = order.map((name) => found.get(name)!);
  const answers = markdownTable(
    ["difference in points (95 % over model sets)", "so"],
    ordered.flatMap(({ answer }) => (answer ? [answer] : [])),
  );
  return {
    sections: [
      `The primary comparison of each question on test:\n\n${answers}`,
      ...ordered.map(({ section }) => section),
      ...(costs ? [costSection(costs)] : []),
    ],
    pictures: Object.assign({}, ...ordered.map(({ pictures }) => pictures)) as object,
  };
}

async function partSection(
  planned: StudyPart,
  question1: StudyPart,
  { chosen, costs, folder }: { chosen?: Chosen; costs?: Costs; folder?: string },
): Promise<Found> {
  const own = await partResults(planned, folder);
  const total = cellsOf(planned).length;
  if (!isComplete(planned, own)) {
    const done = `${own.length} of ${total} runs are done. The figures appear here when all are done.`;
    return { section: `## ${planned.title}\n\n${own.length === 0 ? "Not run yet." : done}`, pictures: {} };
  }
  const [part, results] = planned.beside
    ? withMethodsOf(
        { part: question1, results: await partResults(question1, folder), names: planned.beside },
        planned,
        own,
      )
    : [planned, own];
  const section = [
    `## ${part.title}`,
    sentencesOf(part, results, { ...(chosen && { chosen }), ...(costs && { costs }) }),
    `![${part.title}: P against D](${part.name}.svg)`,
    tableOf(part, results),
  ];
  if (part.name === "question-1" || part.name === "trade-off") section.push(envelopeTable(part, results));
  if (part.name === "question-2") section.push(similarityTables(part, results));
  if (part.name === "question-4") section.push(conflictTable(part, results));
  if (part.name === "question-5") section.push(factorTable(part, results));
  return {
    section: section.join("\n\n"),
    pictures: { [`${part.name}.svg`]: pictureOf(part, results) },
    ...(chosen && { answer: answerOf(part, results, chosen) }),
  };
}

function answerOf(part: StudyPart, results: PartResults, chosen: Chosen): string[] {
  const { what, found } = primaryComparison(part, results, chosen);
  const [number] = part.title.split(":");
  return [`[${number}](#${anchorOf(part.title)}): ${what}`, withInterval(found), verdictOf(found)];
}

/** The anchor that GitHub gives a heading. */
const anchorOf = (title: string) =>
  title
    .toLowerCase()
    .replace(/[^a-z0-9 -]/g, "")
    .replaceAll(" ", "-");

function costSection({ machine, node, steps, secondsPerStep }: Costs): string {
  const rec = secondsPerStep["rec chosen"];
  const rows = Object.entries(secondsPerStep).map(([name, seconds]) => [
    `\`${name}\``,
    seconds.toFixed(3),
    (seconds / rec).toFixed(1),
  ]);
  return (
    `## Cost of a step\n\nMedian of ${steps} steps of each configuration, measured alone on model set 0 (${machine}, WebAssembly, Node ${node}):\n\n` +
    markdownTable(["seconds a step", "times that of `rec`"], rows)
  );
}

function pictureOf(part: StudyPart, results: PartResults): string {
  const points = methodNames(part).map((name) => ({
    label: name,
    method: part.methods.find((own) => own.name === name)?.method ?? "original",
    x: spreadOf(results, figure("D"), name),
    y: spreadOf(results, figure("P strict"), name),
  }));
  const runs = `${results.length} runs each, bars of one standard deviation`;
  return scatterFigure(`${part.title}, ${part.split}; ${runs}`, { x: "D", y: "P strict", points });
}
