import { type Cell, readResult } from "./cells.js";
import { average, type Comparison, comparisonOf, figure } from "./comparisons.js";
import { markdownTable } from "./markdown-table.js";
import { measurementSection, type Section } from "./measurement-file.js";
import { type OtherScenesResult, otherFigures, otherScenesFile } from "./other-scenes-results.js";
import { describeComparison, withInterval } from "./part-sentences.js";
import type { RawResult } from "./raw-results.js";

/** Question 1 again on scenes of other generator seeds: do its figures hold there? No figure before all cells are measured. */
export const otherScenesSection = (cells: readonly Cell[], folder?: string): Promise<Section> =>
  measurementSection(
    { title: "## Question 1: the same on scenes of other seeds", file: otherScenesFile, cells, folder },
    async (others) => {
      const own = await Promise.all(cells.map((cell) => readResult(cell, folder)));
      return sectionOf(
        others.map((other, i) => {
          if (!own[i])
            throw new Error(`question-1 has no result of set ${cells[i].set}, seed ${cells[i].seed}`);
          return { set: cells[i].set, other, own: own[i] };
        }),
      );
    },
  );

type Pair = { set: number; other: OtherScenesResult; own: RawResult };

function sectionOf(pairs: readonly Pair[]): Section {
  const names = Object.keys(pairs[0].other.methods);
  const rows = names.map((name) => {
    const cells = otherFigures.map((measure) => {
      const before = pairs.map(({ own }) => figure(measure)(own.methods[name]));
      const now = pairs.map(({ other }) => 100 * other.methods[name][measure]);
      const change = comparisonOf(pairs.map(({ set }, i) => ({ set, value: now[i] - before[i] })));
      return { before: average(before), now: average(now), change };
    });
    return { name, cells };
  });
  const inside = rows.flatMap(({ cells }) => cells).filter(({ change }) => containsZero(change)).length;
  const gain = comparisonOf(
    pairs.map(({ set, other: { methods } }) => ({
      set,
      value: 100 * (methods["dcr chosen"]["P strict"] - methods["rec chosen"]["P strict"]),
    })),
  );
  const sentences =
    "The generator's seeds were drawn when this was measured, after all of question 1 was done. " +
    `In ${inside} of ${rows.length * otherFigures.length} cases the interval of the change over model sets contains 0. ` +
    describeComparison("There, P strict of `dcr` minus that of `rec`", gain);
  const table = markdownTable(
    otherFigures.flatMap((measure) => [measure, "other scenes", "change (95 % over model sets)"]),
    rows.map(({ name, cells }) => [
      `\`${name}\``,
      ...cells.flatMap(({ before, now, change }) => [
        before.toFixed(1),
        now.toFixed(1),
        withInterval(change),
      ]),
    ]),
  );
  return { section: `${sentences}\n\n${table}` };
}

const containsZero = ({ overSets }: Comparison) =>
  overSets !== undefined && overSets.interval[0] <= 0 && overSets.interval[1] >= 0;
