import { factorNames, factors, knownIdentities } from "../scenes/factors.js";
import type { SetRecords } from "./training-records.js";

const percent = (share: number) => (100 * share).toFixed(0);
const row = (cells: (string | number)[]) => `| ${cells.join(" | ")} |`;

/** The README's tables of the models: probes of CLIP by set, the denoiser's loss by caption, and the training's time. */
export function modelsTable(sets: readonly SetRecords[]): string {
  const names = sets.map(({ name }) => name.replace("-", " "));
  const header = (first: string, columns: string[]) => [
    row([first, ...columns]),
    row(["---", ...columns.map(() => "---")]),
  ];
  const chance = (name: (typeof factorNames)[number] | "identity") =>
    percent(1 / (name === "identity" ? knownIdentities.length : factors[name].length));
  const probes = (["identity", ...factorNames] as const).map((name) =>
    row([
      name,
      chance(name),
      ...sets.map(({ clip }) => percent(clip.figures.feature[name])),
      ...sets.map(({ clip }) => percent(clip.figures.patches[name])),
    ]),
  );
  const zeroShot = (["seenStyles", "heldOutStyle"] as const).map((style) =>
    row([
      `zero-shot, ${style === "seenStyles" ? "seen styles" : "held-out style"}`,
      chance("identity"),
      ...sets.map(({ clip }) => percent(clip.figures.zeroShot[style])),
      ...sets.map(() => ""),
    ]),
  );
  const losses = sets[0].denoiser.figures.byTimestep.map(({ timestep }, i) =>
    row([
      timestep,
      ...sets.map(({ denoiser }) => {
        const { right, empty, wrong } = denoiser.figures.byTimestep[i];
        return [right, empty, wrong].map((loss) => loss.toFixed(3)).join(" / ");
      }),
    ]),
  );
  const trained = (["clip", "vae", "denoiser"] as const).map((part) =>
    row([part, ...sets.map((set) => `${set[part].steps} steps, ${(set[part].seconds / 60).toFixed(0)} min`)]),
  );
  return [
    "Percent that a linear probe gets right:",
    "",
    ...header("", [
      "chance",
      ...names.map((name) => `feature, ${name}`),
      ...names.map((name) => `patches, ${name}`),
    ]),
    ...probes,
    ...zeroShot,
    "",
    "The denoiser's loss with the right, the empty and a wrong caption:",
    "",
    ...header("t", names),
    ...losses,
    "",
    "Trained on one core that other work shared:",
    "",
    ...header("", names),
    ...trained,
  ].join("\n");
}

const [begin, end] = ["<!-- models -->", "<!-- /models -->"];

/** A README with the tables between its marks written anew. */
export function withModelsTable(readme: string, sets: readonly SetRecords[]): string {
  const [from, to] = [readme.indexOf(begin), readme.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`withModelsTable: the README has no ${begin} before ${end}`);
  return `${readme.slice(0, from + begin.length)}\n${modelsTable(sets)}\n${readme.slice(to)}`;
}
