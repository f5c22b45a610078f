import "@tensorflow/tfjs-backend-cpu";
import { describeOptions } from "@dcr-js/testing/options";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import type { Aggregator } from "./aggregator.js";
import { type AlignedMTLOptions, alignedMTL } from "./aligned-mtl.js";
import { type CAGradOptions, cagrad } from "./cagrad.js";
import { type ConFIGOptions, conFIG } from "./con-fig.js";
import { dualProj } from "./dual-proj.js";
import { dwa } from "./dwa.js";
import type { ElementwiseAggregator } from "./elementwise.js";
import { ExcessMTL, type ExcessMTLOptions } from "./excess-mtl.js";
import { fairGrad } from "./fair-grad.js";
import { type FAMOOptions, famo } from "./famo.js";
import { gradDrop } from "./grad-drop.js";
import { type GradNormOptions, gradNorm } from "./grad-norm.js";
import { type GradVacOptions, gradVac } from "./grad-vac.js";
import { imtlG } from "./imtl-g.js";
import { imtlL } from "./imtl-l.js";
import { type KrumOptions, krum } from "./krum.js";
import { mgda } from "./mgda.js";
import { type NashMTLOptions, nashMTL } from "./nash-mtl.js";
import { pcgrad } from "./pcgrad.js";
import { randomWeighting } from "./random-weighting.js";
import { type SDMGradOptions, sdmGrad } from "./sdm-grad.js";
import type { OrderOptions } from "./shuffled.js";
import { type STCHOptions, stch } from "./stch.js";
import { trimmedMean } from "./trimmed-mean.js";
import { uncertaintyWeighting } from "./uncertainty-weighting.js";
import { type UPGradOptions, upgrad } from "./upgrad.js";
import { weightedSum } from "./weighted-sum.js";

/** Five gradients in four dimensions, of several lengths, most of which conflict. */
const gradients = [
  [1, -0.5, 0.3, 0.2],
  [-0.8, 1.5, 0.1, -0.4],
  [0.2, -1, -0.9, 0.7],
  [0.5, 0.4, -0.6, -1.2],
  [-0.1, 0.2, 0.3, 0.4],
];
const gram = gradients.flatMap((a) => gradients.map((b) => a.reduce((sum, x, i) => sum + x * b[i], 0)));
const losses = [
  [1, 2, 0.5, 1.5, 3],
  [0.9, 1.2, 0.6, 1.4, 1],
  [0.5, 1.1, 0.7, 1.0, 0.8],
  [0.4, 1.0, 0.3, 0.9, 0.7],
];
const share = [0.2, 0.2, 0.2, 0.2, 0.2];
const preference = {
  default: share,
  other: [0.5, 0.2, 0.1, 0.1, 0.1],
  refused: [[0.2, 0.2, 0.2, 0.2, 0], [1], 0.2, [0.2, 0.2, 0.2, 0.2, Number.NaN]],
};

/** The weights of four steps, one after the other. */
function weights<O>(make: (options: O) => Aggregator): (options: O) => number[] {
  return (options) => {
    const aggregator = make(options);
    let memory: readonly number[] | undefined;
    return losses.flatMap((values, at) => {
      const result = aggregator.weigh(gram, { step: at, losses: values, memory });
      memory = result.memory;
      return Array.from(result.weights);
    });
  };
}

const lists = () => gradients.map((row) => [tf.tensor1d(row), tf.tensor1d([row[0] * row[1]])]);

function combined<O>(make: (options: O) => ElementwiseAggregator): (options: O) => number[] {
  return (options) =>
    losses.flatMap((_, at) =>
      tf.tidy(() =>
        make(options)
          .combine(lists(), { step: at })
          .flatMap((x) => Array.from(x.dataSync())),
      ),
    );
}

describeOptions("alignedMTL", {
  run: weights<AlignedMTLOptions>(alignedMTL),
  options: { preference, scaleMode: { default: "min", other: "median", refused: ["mean", 1] } },
});
describeOptions("alignedMTL by its mean", {
  run: weights<AlignedMTLOptions>(alignedMTL),
  given: { scaleMode: "median" },
  options: { preference, scaleMode: { other: "rmse" } },
});
describeOptions("conFIG", { run: weights<ConFIGOptions>(conFIG), options: { preference } });
describeOptions("cagrad", {
  run: weights<CAGradOptions>(cagrad),
  options: { c: { default: 0.5, other: 1, range: { min: 0 } } },
});
const regularization = { default: 1e-6, other: 1e-2, range: { above: 0 } };
describeOptions("dualProj", {
  run: weights<UPGradOptions>(dualProj),
  options: { preference, regularization },
});
describeOptions("upgrad", { run: weights<UPGradOptions>(upgrad), options: { preference, regularization } });
describeOptions("dwa", {
  run: weights(dwa),
  options: { temperature: { default: 2, other: 1, range: { above: 0 } } },
});
describeOptions("fairGrad", {
  run: weights(fairGrad),
  options: { alpha: { default: 1, other: 2, range: { min: 0 } } },
});
describeOptions("famo", {
  run: weights<FAMOOptions>(famo),
  options: {
    learningRate: { default: 0.025, other: 0.05, range: { above: 0 } },
    weightDecay: { default: 1e-5, other: 0, range: { min: 0 } },
    minLosses: { default: [0, 0, 0, 0, 0], other: [0.1, 0, 0, 0, 0], refused: [[0]] },
  },
});
describeOptions("gradDrop", {
  run: combined(gradDrop),
  options: {
    seed: { default: 0, other: 1, range: { min: 0, integer: true } },
    leak: {
      default: [0, 0, 0, 0, 0],
      other: [0.5, 0, 0, 0, 1],
      refused: [[-1e-6, 0, 0, 0, 0], [0, 0, 0, 0, 1 + 1e-6], [0]],
    },
  },
});
describeOptions("gradNorm", {
  run: weights<GradNormOptions>(gradNorm),
  options: {
    alpha: { default: 1.5, other: 0, range: { min: 0 } },
    learningRate: { default: 0.025, other: 0.05, range: { above: 0 } },
  },
});
const order = {
  seed: { default: 0, other: 1, range: { min: 0, integer: true } },
  shuffle: { default: true, other: false, refused: ["no", 0] },
};
describeOptions("gradVac", {
  run: weights<GradVacOptions>(gradVac),
  options: { beta: { default: 0.01, other: 0.5, range: { min: 0, max: 1 } }, ...order },
});
describeOptions("pcgrad", { run: weights<OrderOptions>(pcgrad), options: order });
describeOptions("imtlL", {
  run: weights(imtlL),
  options: { learningRate: { default: 0.01, other: 0.1, range: { above: 0 } } },
});
describeOptions("krum", {
  run: weights<KrumOptions>(krum),
  options: {
    byzantine: { default: 0, other: 2, range: { min: 0, integer: true } },
    selected: { default: 1, other: 2, range: { min: 1, integer: true } },
  },
});
describeOptions("nashMTL", {
  run: weights<NashMTLOptions>(nashMTL),
  options: { maxNorm: { default: 1, other: 2, range: { above: 0 } } },
});
describeOptions("randomWeighting", {
  run: weights(randomWeighting),
  options: { seed: { default: 0, other: 1, range: { min: 0, integer: true } } },
});
describeOptions("sdmGrad", {
  run: weights<SDMGradOptions>(sdmGrad),
  options: {
    learningRate: { default: 10, other: 0.1, range: { above: 0 } },
    momentum: { default: 0.5, other: 0.1, range: { min: 0, below: 1 } },
    iterations: { default: 20, other: 1, range: { min: 1, integer: true } },
    lambda: { default: 0.3, other: 1, range: { min: 0 } },
    preference,
  },
});
describeOptions("stch", {
  run: weights<STCHOptions>(stch),
  options: {
    mu: { default: 1, other: 0.5, range: { above: 0 } },
    preference,
    ideal: { default: [0, 0, 0, 0, 0], other: [0.1, 0, 0, 0, 0], refused: [[0]] },
  },
});
describeOptions("trimmedMean", {
  run: combined(trimmedMean),
  options: { trim: { default: 1, other: 2, range: { min: 0, integer: true } } },
});
describeOptions("uncertaintyWeighting", {
  run: weights(uncertaintyWeighting),
  options: { learningRate: { default: 0.01, other: 0.1, range: { above: 0 } } },
});
describeOptions("ExcessMTL", {
  run: async (options: ExcessMTLOptions) => {
    const excess = new ExcessMTL(options);
    const all: number[] = [];
    for (const scale of [1, 2, 0.5, 3]) {
      const scaled = tf.tidy(() => lists().map((list, i) => list.map((x) => tf.mul(x, scale ** i))));
      const result = await excess.combine(scaled);
      all.push(...result.weights);
      tf.dispose([scaled, result.gradients]);
    }
    excess.dispose();
    return all;
  },
  options: {
    robustStepSize: { default: 1, other: 0.1, range: { above: 0 } },
    warmupSteps: { default: 0, other: 2, range: { min: 0, integer: true } },
  },
});

const ofWeights = {
  alignedMTL,
  cagrad,
  conFIG,
  dualProj,
  dwa,
  fairGrad,
  famo,
  gradNorm,
  gradVac,
  imtlG,
  imtlL,
  krum,
  mgda,
  nashMTL,
  pcgrad,
  randomWeighting,
  sdmGrad,
  stch,
  uncertaintyWeighting,
  upgrad,
  weightedSum,
};

it.each(Object.entries<() => Aggregator>(ofWeights))(
  "%s has its name, and every error begins with it",
  (name, make) => {
    const aggregator = make();
    expect(aggregator.name).toBe(name);
    const errorsOf = (at: number[], context: Parameters<Aggregator["weigh"]>[1]) =>
      expect(() => aggregator.weigh(at, { losses: losses[0], ...context }));
    const named = new RegExp(`^${name}: `);
    errorsOf([1, 2], {}).toThrow(named);
    errorsOf([...gram.slice(0, -1), Number.NaN], {}).toThrow(named);
    errorsOf("gram" as never, {}).toThrow(named);
    errorsOf(null as never, {}).toThrow(named);
    for (const step of [Number.NaN, -1, 0.5, "3" as never]) {
      errorsOf(gram, { step }).toThrow(`${name}: context.step must be an integer, at least 0, got`);
    }
    errorsOf(gram, { stepp: 3 } as never).toThrow(`${name}: unknown option "stepp"`);
    if (aggregator.needsLosses) {
      errorsOf(gram, { losses: undefined }).toThrow(named);
      errorsOf(gram, { losses: [1, 2] }).toThrow(named);
      errorsOf(gram, { losses: [1, 2, 3, 4, Number.POSITIVE_INFINITY] }).toThrow(named);
    }
    if (aggregator.weigh(gram, { losses: losses[0] }).memory) {
      errorsOf(gram, { memory: [1, 2, 3] }).toThrow(named);
      const { length } = aggregator.weigh(gram, { losses: losses[0] }).memory!;
      if (name !== "dwa") errorsOf(gram, { memory: new Array(length).fill(Number.NaN) }).toThrow(named);
    }
  },
);

it.each(Object.entries<() => ElementwiseAggregator>({ gradDrop, trimmedMean }))(
  "%s has its name, and every error begins with it",
  (name, make) => {
    const aggregator = make();
    expect(aggregator.name).toBe(name);
    const named = new RegExp(`^${name}: `);
    tf.tidy(() => {
      expect(() => aggregator.combine([])).toThrow(named);
      const [a, b, c] = lists();
      expect(() => aggregator.combine([a, b, c.slice(1)])).toThrow(named);
      expect(() => aggregator.combine([a, b, c], { step: Number.NaN })).toThrow(
        `${name}: context.step must be`,
      );
      expect(() => aggregator.combine([a, b, c], { stepp: 3 } as never)).toThrow(named);
    });
  },
);

it("trimmedMean needs two losses more than it leaves out at each end", () => {
  tf.tidy(() => {
    expect(() => trimmedMean({ trim: 2 }).combine(lists().slice(1))).toThrow("at least 5, got 4");
    expect(trimmedMean({ trim: 2 }).combine(lists())).toHaveLength(2);
  });
});

it("fairGrad with alpha 0 is the mean, and large values serve the worst-served loss", () => {
  expect([...fairGrad({ alpha: 0 }).weigh([1, 0, 0, 4]).weights]).toEqual([0.5, 0.5]);
});
