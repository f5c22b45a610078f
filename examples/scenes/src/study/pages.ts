import { cellsOf } from "./cells.js";
import { chooseAll } from "./choose-all.js";
import { figure, methodNames, type PartResults, spreadOf } from "./comparisons.js";
import { layerConflictSection } from "./layer-conflict-page.js";
import { otherScenesSection } from "./other-scenes-page.js";
import { isComplete, partResults, withMethodsOf } from "./part-results.js";
import { sentencesOf } from "./part-sentences.js";
import { conflictTable, factorTable, tableOf } from "./part-tables.js";
import { type StudyPart, testParts, tuningParts } from "./plan.js";
import { scatterFigure } from "./scatter-figure.js";
import { theoremOneSection } from "./theorem-1-page.js";

/** The questions that are measured on the encoders of question 1, by the name of their results. */
const measured = {
  "other-scenes": otherScenesSection,
  "question-4-layers": layerConflictSection,
  "question-6": theoremOneSection,
};

/** The pages of the study and their figures, by file name: a function of the committed results alone. */
export async function studyPages(folder?: string): Promise<Record<string, string>> {
  const pages: Record<string, string> = {};
  const sections = [
    "# The study\n\nGenerated from `examples/scenes/study/results` by `npm run study -w examples/scenes -- --pages`; `--check` compares. " +
      "[protocol.md](protocol.md) says what was asked and how.",
  ];
  const chosen = await chooseAll(folder);
  const questions = chosen ? testParts(chosen) : [];
  for (const planned of [...tuningParts, ...questions]) {
    const own = await partResults(planned, folder);
    const total = cellsOf(planned).length;
    sections.push(`## ${planned.title}`);
    if (!isComplete(planned, own)) {
      sections.push(
        own.length === 0
          ? "Not run yet."
          : `${own.length} of ${total} runs are done. The figures appear here when all are done.`,
      );
      continue;
    }
    const [part, results] = planned.beside
      ? withMethodsOf(
          {
            part: questions[0],
            results: await partResults(questions[0], folder),
            names: planned.beside,
          },
          planned,
          own,
        )
      : [planned, own];
    pages[`${part.name}.svg`] = pictureOf(part, results);
    sections.push(
      sentencesOf(part, results, chosen),
      `![${part.title}: P against D](${part.name}.svg)`,
      tableOf(part, results),
    );
    if (part.name === "question-4") sections.push(conflictTable(part, results));
    if (part.name === "question-5") sections.push(factorTable(part, results));
  }
  if (chosen) {
    for (const [name, sectionOf] of Object.entries(measured)) {
      const { section, picture } = await sectionOf(cellsOf(questions[0]), folder);
      sections.push(section);
      if (picture) pages[`${name}.svg`] = picture;
    }
  } else sections.push("## Questions on test\n\nNot run yet: tuning comes first.");
  pages["README.md"] = `${sections.join("\n\n")}\n`;
  return pages;
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
