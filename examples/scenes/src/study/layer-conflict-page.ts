import type { Cell } from "./cells.js";
import { average, comparisonOf, spread } from "./comparisons.js";
import { heatMapFigure } from "./heat-map-figure.js";
import { type LayerConflictResult, layerConflictFile, timesteps } from "./layer-conflict-results.js";
import { measurementSection, type Section } from "./measurement-file.js";

/** A layer at a timestep with one encoder, over all runs. */
interface Place {
  mean: number;
  /** Student's t over model sets. Undefined with one set. */
  interval?: [number, number];
  /** The standard deviation over single batches. */
  std: number;
  negative: number;
}

/** The section on the conflict by layer and timestep, and its figure; neither before all cells are measured. */
export const layerConflictSection = (cells: readonly Cell[], folder?: string): Promise<Section> =>
  measurementSection(
    { title: "## Question 4: conflict by layer and timestep", file: layerConflictFile, cells, folder },
    (found) => sectionOf(found.map((result, i) => ({ set: cells[i].set, result }))),
  );

function sectionOf(results: readonly { set: number; result: LayerConflictResult }[]): Section {
  const { weights, methods } = results[0].result;
  const layers = Object.keys(weights);
  const maps = Object.keys(methods).map((method) => ({
    title: method,
    places: layers.map((layer) =>
      timesteps.map((timestep) => placeOf(results, (result) => result.methods[method][layer][timestep])),
    ),
  }));
  const all = maps.flatMap(({ places }) => places.flat());
  const picture = heatMapFigure(
    `Mean cosine of the gradients of the contrastive and the reconstruction loss; ${results.length} runs`,
    {
      rows: layers,
      columns: timesteps.map(String),
      columnsTitle: "timestep",
      extreme: Math.max(...all.map(({ mean }) => Math.abs(mean))),
      maps: maps.map(({ title: name, places }) => ({
        title: name,
        values: places.map((row) => row.map((place) => ({ value: place.mean, text: textOf(place) }))),
      })),
    },
  );
  const image =
    "![Mean cosine by layer and timestep, with the share of negative cosines](question-4-layers.svg)";
  return { section: [sentences(all, Object.values(weights)), image].join("\n\n"), picture };
}

function placeOf(
  results: readonly { set: number; result: LayerConflictResult }[],
  cosinesOf: (result: LayerConflictResult) => number[],
): Place {
  const cosines = results.flatMap(({ result }) => cosinesOf(result));
  const { overSets } = comparisonOf(
    results.map(({ set, result }) => ({ set, value: average(cosinesOf(result)) })),
  );
  return {
    mean: average(cosines),
    ...(overSets && { interval: overSets.interval }),
    std: spread(cosines).std,
    negative: cosines.filter((cosine) => cosine < 0).length / cosines.length,
  };
}

const signed = (value: number) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;
const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
const textOf = ({ mean, negative }: Place) => `${signed(mean)} (${percent(negative)})`;

function sentences(places: readonly Place[], weights: readonly number[]): string {
  const above = places.filter(({ interval }) => interval && interval[0] > 0).length;
  const below = places.filter(({ interval }) => interval && interval[1] < 0).length;
  const range = (values: readonly number[]) => [Math.min(...values), Math.max(...values)] as const;
  const [lowest, highest] = range(places.map(({ mean }) => mean));
  const [fewest, most] = range(places.map(({ negative }) => negative));
  const stds = range(places.map(({ std }) => std));
  const random = range(weights.map((count) => 1 / Math.sqrt(count)));
  const scatter =
    stds[0] > 2 * random[1]
      ? "the gradients of a batch are not orthogonal, they agree or conflict"
      : "no place stands out from random directions";
  return (
    `Over layers, timesteps and both encoders, the mean cosine lies between ${signed(lowest)} and ${signed(highest)}, and ${percent(fewest)} to ${percent(most)} of the batches have a negative one; ` +
    `the 95 % interval over model sets lies above 0 in ${above} of ${places.length} places and below 0 in ${below}. ` +
    `Single batches scatter by ${stds[0].toFixed(2)} to ${stds[1].toFixed(2)}, and two random directions would by ${random[0].toFixed(3)} to ${random[1].toFixed(3)}: ${scatter}.`
  );
}
