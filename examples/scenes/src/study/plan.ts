/** A method with settings of its own, as `dcr enhance` takes it in a file. */
export interface StudyMethod {
  name: string;
  method: "rec" | "con" | "naive" | "dcr";
  [setting: string]: unknown;
}

/** The runs for one question, for each model set and seed. */
export interface StudyPart {
  name: string;
  title: string;
  split: "validation" | "test";
  sets: readonly number[];
  seeds: readonly number[];
  methods: readonly StudyMethod[];
  /** The comparison that the protocol names: a figure of one method minus that of another. */
  primary?: { figure: FigureName; of: string; minus: string };
}

/** The figures that the study reports, by their place in an evaluation. */
export const figurePlaces = {
  "P strict": ["means", "P strict"],
  "P two-way": ["means", "P two-way"],
  D: ["means", "D"],
  "k-NN": ["means", "k-NN"],
} as const;
export type FigureName = keyof typeof figurePlaces;

export const trainedMethods = ["rec", "con", "naive", "dcr"] as const;
export type TrainedMethod = (typeof trainedMethods)[number];

/** The settings of every run (docs/study/protocol.md). Paths start from the example's folder. */
export const sharedSettings = (set: number, split: StudyPart["split"]) => ({
  encoder: `./models/set-${set}/clip`,
  diffusion: `./models/set-${set}/diffusion`,
  images: "./dist/training-images.js",
  evaluate: [`./dist/evaluate/${split}.js`],
  device: "wasm",
  timesteps: [300, 800],
  align: {
    ...{ loss: "rec", steps: 300, batch: 32, accumulation: 1 },
    ...{ learningRate: 3e-3, schedule: "cosine", weightDecay: 0 },
  },
  enhance: {
    ...{ steps: 300, batch: 8, accumulation: 1, learningRate: 1e-3 },
    ...{ warmupSteps: 20, schedule: "cosine", weightDecay: 0 },
  },
  lora: { rank: 16, alpha: 16, dropout: 0 },
});

const noFlips = { augment: { horizontalFlip: 0, verticalFlip: 0 } };

/** The four settings of each method's own that tuning tries with each learning rate. */
const ownSettings: Record<TrainedMethod, Record<string, object>> = {
  rec: {
    "rank 16": {},
    "rank 4": { lora: { rank: 4, alpha: 4 } },
    "rank 16 all t": { timesteps: null },
    "rank 4 all t": { lora: { rank: 4, alpha: 4 }, timesteps: null },
  },
  con: {
    "tau 0.1": {},
    "tau 0.1 no flips": noFlips,
    "tau 0.5": { temperature: 0.5 },
    "tau 0.5 no flips": { temperature: 0.5, ...noFlips },
  },
  naive: {
    "rec x 1": {},
    "rec x 1 no flips": noFlips,
    "rec x 10": { naive: { lambdaRec: 10 } },
    "rec x 10 no flips": { naive: { lambdaRec: 10 }, ...noFlips },
  },
  dcr: {
    "tau 0.1": {},
    "tau 0.1 no flips": noFlips,
    "tau auto": { temperature: "auto" },
    "tau auto no flips": { temperature: "auto", ...noFlips },
  },
};

/** Twelve configurations of a method. */
export const tuningMethods = (method: TrainedMethod): StudyMethod[] =>
  [5e-4, 1e-3, 2e-3].flatMap((learningRate) =>
    Object.entries(ownSettings[method]).map(([label, settings]) => ({
      name: `${method} ${label} rate ${learningRate}`,
      method,
      ...settings,
      enhance: { learningRate },
    })),
  );

/** Tuning, on validation. */
export const tuningParts: StudyPart[] = trainedMethods.map((method) => ({
  name: `tuning-${method}`,
  title: `Tuning of ${method}, on validation`,
  split: "validation",
  sets: [0],
  seeds: [0, 1],
  methods: tuningMethods(method),
}));

/** Each method's chosen configuration. */
export type Chosen = Record<TrainedMethod, StudyMethod>;

const remedies = ["pcgrad", "grad-vac", "cagrad", "mgda", "imtl-g", "nash-mtl", "upgrad", "con-fig"];

/** A variant with other settings; those of one section go over the others of the section. */
function change(base: StudyMethod, name: string, settings: Record<string, unknown>): StudyMethod {
  const merged: StudyMethod = { ...base, ...settings, name };
  for (const section of ["enhance", "align", "lora", "augment", "naive"]) {
    const [under, over] = [base[section] as object | undefined, settings[section] as object | undefined];
    if (under && over) merged[section] = { ...under, ...over };
  }
  return merged;
}

/** The questions on test, in the order in which they are run. */
export function testParts(chosen: Chosen): StudyPart[] {
  const { dcr, con, naive } = chosen;
  const flips = { augment: { horizontalFlip: 0.5, verticalFlip: 0.5 } };
  const plain = trainedMethods.map((method) => change(chosen[method], `${method} chosen`, {}));
  const parts: Omit<StudyPart, "split" | "sets" | "seeds">[] = [
    {
      name: "question-1",
      title: "Trade-off over learning rates and steps",
      methods: [
        ...plain,
        ...trainedMethods.flatMap((method) =>
          [5e-4, 1e-3, 2e-3, 4e-3].flatMap((learningRate) =>
            [100, 300].map((steps) =>
              change(chosen[method], `${method} rate ${learningRate} steps ${steps}`, {
                enhance: { learningRate, steps },
              }),
            ),
          ),
        ),
      ],
    },
    {
      name: "question-2",
      title: "Temperature and drift",
      methods: [0.1, 0.03, 0.01, 0.003, 0.001, "auto"].map((temperature) =>
        change(dcr, `dcr tau ${temperature}`, { temperature }),
      ),
      primary: { figure: "P strict", of: "dcr tau auto", minus: "dcr tau 0.1" },
    },
    {
      name: "question-3",
      title: "The predictions that the gradient flows through",
      methods: ["all", "anchor", "anchor-and-positive"].map((gradient) =>
        change(dcr, `dcr ${gradient}`, { gradient }),
      ),
      primary: { figure: "D", of: "dcr anchor", minus: "dcr all" },
    },
    {
      name: "question-5",
      title: "Augmentation",
      methods: [con, naive, dcr].flatMap((base) => [
        change(base, `${base.method} flips`, flips),
        change(base, `${base.method} no flips`, noFlips),
      ]),
    },
    {
      name: "question-4",
      title: "Conflict and its remedies",
      methods: [
        change(dcr, "dcr chosen", {}),
        change(naive, "naive sum", { aggregator: "sum" }),
        ...remedies.map((aggregator) => change(naive, `naive ${aggregator}`, { aggregator })),
      ],
    },
    {
      name: "question-7",
      title: "Stages and sizes",
      methods: [
        change(dcr, "dcr two stages", {}),
        change(dcr, "dcr aligned by dcr", { align: { loss: "dcr", batch: 8 } }),
        change(dcr, "dcr end to end", { endToEnd: true }),
        ...[4, 16].map((batch) =>
          change(dcr, `dcr batch ${batch}`, { enhance: { batch, steps: (300 * 8) / batch } }),
        ),
        ...[null, [0, 300], [800, 1000]].map((timesteps) =>
          change(dcr, `dcr t ${timesteps?.join("-") ?? "all"}`, { timesteps }),
        ),
      ],
      primary: { figure: "P strict", of: "dcr two stages", minus: "dcr end to end" },
    },
  ];
  return parts.map((part) => ({ ...part, split: "test", sets: [0, 1, 2], seeds: [0, 1, 2] }));
}

/** Minutes of one core that a run of a method takes, before any were measured (docs/study/protocol.md). */
export const estimatedMinutes: Record<TrainedMethod, number> = { con: 1, rec: 1.5, naive: 2, dcr: 5.5 };
