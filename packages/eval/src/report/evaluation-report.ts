import { checkOptions, describe } from "../shared/check-options.js";
import { escapeMarkup } from "../shared/escape-markup.js";
import { drawSection } from "./draw-section.js";
import type { Section } from "./section.js";

/** The results of an evaluation: plain data, so that `JSON.stringify` writes it. */
export interface EvaluationReport {
  title: string;
  sections: Section[];
}

/**
 * A report as one HTML page that needs nothing else: no script, no file, no network.
 *
 * @throws on a section that is none, and on a picture that is no `data:` URL
 *
 * @example
 * const html = reportHTML({
 *   title: "CLIP on CIFAR-10",
 *   sections: [
 *     { kind: "table", title: "D-Ability", columns: ["NMI", "ACC"], rows: [[scores.nmi, scores.acc]] },
 *     { kind: "points", title: "t-SNE", points: await projectTSNE(features), labels },
 *   ],
 * });
 */
export function reportHTML(report: EvaluationReport): string {
  const { title, sections } = report ?? {};
  if (typeof title !== "string" || !Array.isArray(sections)) {
    throw new TypeError(`reportHTML: report must be { title, sections }, got ${describe(report)}`);
  }
  checkOptions<EvaluationReport>("reportHTML: report", report, { title: true, sections: true });
  const body = sections.map((section, i) => drawSection(`reportHTML: sections[${i}]`, section));
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeMarkup(title)}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #222; background: #fff; }
table { border-collapse: collapse; } th, td { padding: 0.2rem 0.7rem; border-bottom: 1px solid #ddd; text-align: right; }
th:first-child, td:first-child { text-align: left; } .confusion td { border: 1px solid #eee; text-align: center; }
figure { display: inline-block; margin: 0.3rem; text-align: center; font-size: 12px; } img { width: 96px; height: 96px; object-fit: contain; }
.right img { outline: 3px solid #2a7f3f; } .wrong img { outline: 3px solid #b3392f; }
</style>
<h1>${escapeMarkup(title)}</h1>
${body.join("\n")}
</html>
`;
}
