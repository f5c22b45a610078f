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
  /** Methods of question 1 that are shown and compared with these: they are not run again. */
  beside?: readonly string[];
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
  // All predictions of a batch of 8 at once: these models are small.
  memory: { chunk: 72, microBatch: 16 },
});

const noFlips = { augment: { horizontalFlip: 0, verticalFlip: 0 } };
const flips = { augment: { horizontalFlip: 0.5, verticalFlip: 0.5 } };

/** The two settings of each method's own that tuning tries with each learning rate. */
const ownSettings: Record<TrainedMethod, Record<string, object>> = {
  rec: { "t 300-800": {}, "t all": { timesteps: null } },
  con: { flips: {}, "no flips": noFlips },
  naive: { flips: {}, "no flips": noFlips },
  // The conflict between the two positives is measured in question 4 only: it costs a third of a step.
  dcr: { "tau 0.1": { conflict: false }, "tau auto": { conflict: false, temperature: "auto" } },
};

const learningRates = [5e-4, 1e-3, 2e-3];
/** Rates that move the encoder less; docs/study/protocol.md says why they are apart. */
const lowLearningRates = [1e-4, 2.5e-4];

/** A method's configurations: each learning rate with each of its own settings. */
const tuningMethods = (method: TrainedMethod, rates: readonly number[]): StudyMethod[] =>
  rates.flatMap((learningRate) =>
    Object.entries(ownSettings[method]).map(([label, settings]) => ({
      name: `${method} ${label} rate ${learningRate}`,
      method,
      ...settings,
      enhance: { learningRate },
    })),
  );

const tuningPart = (method: TrainedMethod, name: string, rates: readonly number[]): StudyPart => ({
  name: `${name}-${method}`,
  title: `Tuning of ${method} with learning rates ${rates.join(", ")}`,
  split: "validation",
  sets: [0],
  seeds: [0, 1],
  methods: tuningMethods(method, rates),
});

/** Tuning of a method, on validation: its choice is among the configurations of all these parts. */
export const tuningPartsOf = (method: TrainedMethod): StudyPart[] => [
  tuningPart(method, "tuning", learningRates),
  tuningPart(method, "tuning-low", lowLearningRates),
];

export const tuningParts: StudyPart[] = trainedMethods.flatMap(tuningPartsOf);

/** Each method's chosen configuration. */
export type Chosen = Record<TrainedMethod, StudyMethod>;

const remedies = ["pcgrad", "cagrad", "nash-mtl", "upgrad", "con-fig"];

/** A variant with other settings; in a section they override those of the same name and keep the rest. */
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
  const temperature = dcr["temperature"] ?? 0.1;
  const nameOfTemperature = (value: number | "auto") =>
    value === temperature ? "dcr chosen" : `dcr tau ${value}`;
  const parts: Omit<StudyPart, "split" | "sets" | "seeds">[] = [
    {
      name: "question-1",
      title: "Question 1: each method as tuning chose it",
      methods: trainedMethods.map((method) => change(chosen[method], `${method} chosen`, {})),
      primary: { figure: "P strict", of: "dcr chosen", minus: "rec chosen" },
    },
    {
      name: "question-4",
      title: "Question 4: conflict and its remedies",
      beside: ["naive chosen", "dcr chosen"],
      methods: remedies.map((aggregator) => change(naive, `naive ${aggregator}`, { aggregator })),
    },
    {
      name: "question-3",
      title: "Question 3: the predictions that the gradient flows through",
      beside: ["dcr chosen"],
      methods: ["anchor", "anchor-and-positive"].map((gradient) =>
        change(dcr, `dcr ${gradient}`, { gradient }),
      ),
      primary: { figure: "D", of: "dcr anchor", minus: "dcr chosen" },
    },
    {
      name: "question-5",
      title: "Question 5: augmentation",
      beside: ["con chosen", "naive chosen", "dcr chosen"],
      methods: [con, naive, dcr].map((base) =>
        hasFlips(base)
          ? change(base, `${base.method} no flips`, noFlips)
          : change(base, `${base.method} flips`, flips),
      ),
    },
    {
      name: "question-2",
      title: "Question 2: temperature and drift",
      beside: ["dcr chosen"],
      methods: ([0.1, 0.01, 0.001, "auto"] as const)
        .filter((value) => value !== temperature)
        .map((value) => change(dcr, nameOfTemperature(value), { temperature: value })),
      primary: { figure: "P strict", of: nameOfTemperature("auto"), minus: nameOfTemperature(0.1) },
    },
    {
      name: "question-7",
      title: "Question 7: stages and sizes",
      beside: ["dcr chosen"],
      methods: [
        change(dcr, "dcr aligned by dcr", { align: { loss: "dcr", batch: 8 } }),
        change(dcr, "dcr end to end", { endToEnd: true }),
        change(dcr, "dcr batch 4", { enhance: { batch: 4, steps: 600 } }),
        change(dcr, "dcr t all", { timesteps: null }),
      ],
      primary: { figure: "P strict", of: "dcr chosen", minus: "dcr end to end" },
    },
    {
      name: "trade-off",
      title: "Question 1: trade-off over learning rates and steps",
      beside: trainedMethods.map((method) => `${method} chosen`),
      methods: trainedMethods.flatMap((method) => {
        const own = (chosen[method]["enhance"] as { learningRate: number }).learningRate;
        const rates = [...lowLearningRates, ...learningRates].filter((rate) => rate !== own);
        return [
          ...rates.map((learningRate) =>
            change(chosen[method], `${method} rate ${learningRate}`, { enhance: { learningRate } }),
          ),
          change(chosen[method], `${method} 100 steps`, { enhance: { steps: 100 } }),
        ];
      }),
    },
  ];
  return parts.map((part) => ({ ...part, split: "test", sets: [0, 1, 2], seeds: [0, 1, 2] }));
}

/** Whether the augmented views of a configuration are mirrored. */
export const hasFlips = ({ augment }: StudyMethod): boolean => augment === undefined;

/** Minutes of one core that a run of a method takes, before any were measured (docs/study/protocol.md). */
export const estimatedMinutes: Record<TrainedMethod, number> = { con: 0.8, rec: 1.1, naive: 1.4, dcr: 2.6 };
