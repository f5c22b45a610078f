import "@tensorflow/tfjs-backend-cpu";
import { expectClose, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import "../shared/register-gradients.js";
import type { Labels } from "../check-embeddings.js";
import { alignment } from "./alignment.js";
import { angular } from "./angular.js";
import { barlowTwins } from "./barlow-twins.js";
import { circle } from "./circle.js";
import { clipLoss } from "./clip.js";
import { contrastiveLoss } from "./contrastive-loss.js";
import { dcr } from "./dcr.js";
import { debiased } from "./debiased.js";
import { decoupled } from "./decoupled.js";
import { fastAP } from "./fast-ap.js";
import { generalizedLiftedStructure } from "./generalized-lifted-structure.js";
import { hardNegative } from "./hard-negative.js";
import { infoNCE } from "./info-nce.js";
import { koLeo } from "./ko-leo.js";
import { leJEPA } from "./le-jepa.js";
import { liftedStructure } from "./lifted-structure.js";
import { margin } from "./margin.js";
import { mmcr } from "./mmcr.js";
import { multiSimilarity } from "./multi-similarity.js";
import { nPairs } from "./n-pairs.js";
import { nca } from "./nca.js";
import { negativeCosine } from "./negative-cosine.js";
import { ntXent } from "./nt-xent.js";
import { ntXentFromLabels } from "./nt-xent-from-labels.js";
import { rankedList } from "./ranked-list.js";
import { sigReg } from "./sig-reg.js";
import { sigLipLoss } from "./siglip.js";
import { snrContrastive } from "./snr-contrastive.js";
import { supCon } from "./sup-con.js";
import { tiCo } from "./ti-co.js";
import { tripletLoss } from "./triplet-loss.js";
import { tupletMargin } from "./tuplet-margin.js";
import { uniformity } from "./uniformity.js";
import { vicReg } from "./vic-reg.js";

const ofViews: Record<string, (a: tf.Tensor, b: tf.Tensor) => tf.Tensor> = {
  alignment: (a, b) => alignment(a, b),
  barlowTwins: (a, b) => barlowTwins(a, b),
  clipLoss: (a, b) => clipLoss(a, b, 10),
  debiased: (a, b) => debiased(a, b),
  decoupled: (a, b) => decoupled(a, b),
  hardNegative: (a, b) => hardNegative(a, b),
  infoNCE: (a, b) => infoNCE(a, b),
  negativeCosine: (a, b) => negativeCosine(a, b),
  ntXent: (a, b) => ntXent(a, b),
  sigLipLoss: (a, b) => sigLipLoss(a, b, 10, -10),
  tiCo: (a, b) => tiCo(a, b),
  vicReg: (a, b) => vicReg(a, b),
};
const ofLabels: Record<string, (x: tf.Tensor, labels: Labels, options?: object) => tf.Tensor> = {
  angular,
  circle,
  contrastiveLoss,
  fastAP,
  generalizedLiftedStructure,
  liftedStructure,
  margin,
  multiSimilarity,
  nPairs,
  nca,
  ntXentFromLabels,
  rankedList,
  snrContrastive,
  supCon,
  tripletLoss,
  tupletMargin,
};
/** Which option compares rows, where the loss takes one. */
const comparisons: Record<string, "similarity" | "distance"> = {
  circle: "similarity",
  contrastiveLoss: "distance",
  generalizedLiftedStructure: "distance",
  liftedStructure: "distance",
  margin: "distance",
  multiSimilarity: "similarity",
  nPairs: "similarity",
  nca: "distance",
  ntXentFromLabels: "similarity",
  rankedList: "distance",
  supCon: "similarity",
  tripletLoss: "distance",
};
const labels = [0, 1, 0, 1];
const x = tf.tensor2d(normalArray(1, 12), [4, 3]);
const y = tf.tensor2d(normalArray(2, 12), [4, 3]);
const integers = tf.tensor2d([3, -1, 2, 5, 1, 0, -2, 4, 1, 1, 2, -3], [4, 3], "int32");
const bools = tf.tensor2d([1, 0, 1, 0, 1, 1, 1, 1, 0, 0, 0, 1], [4, 3], "bool");
const narrow = tf.ones([4, 2]);
const row = tf.tensor2d([1, 2, 3], [1, 3]);
const vector = tf.ones([4]);
const empty = tf.zeros([0, 3]);
const texts = tf.tensor2d(["a", "b", "c", "d"], [2, 2], "string");
const gone = tf.ones([4, 3]);
gone.dispose();
afterAll(() => tf.dispose([x, y, integers, bools, narrow, row, vector, empty, texts]));

let before = 0;
beforeEach(() => {
  before = tf.memory().numTensors;
});
afterEach(() => expect(tf.memory().numTensors).toBe(before));
const noTensors = [undefined, null, 3, [[1, 2, 3]]] as unknown as tf.Tensor[];

/** An integer input gives what its numbers give: squares of integers would wrap. */
function expectCasts(loss: (input: tf.Tensor) => tf.Tensor): void {
  tf.tidy(() => {
    for (const input of [integers, bools]) {
      expectClose(loss(input), loss(tf.cast(input, "float32")), { relative: 1e-6 });
    }
  });
}

describe.each(Object.entries(ofViews))("%s", (name, loss) => {
  const named = new RegExp(`^${name}: `);

  it("refuses what is no pair of matrices of one shape, by its name", () => {
    for (const wrong of [...noTensors, vector, narrow, row, empty]) {
      expect(() => loss(x, wrong), String(wrong)).toThrow(named);
      expect(() => loss(wrong, x), String(wrong)).toThrow(named);
    }
    for (const wrong of [vector, empty, texts]) expect(() => loss(wrong, wrong)).toThrow(named);
    expect(() => loss(gone, x)).toThrow(/ is disposed$/);
  });

  it("takes integers for numbers", () => expectCasts((input) => loss(input, input)));

  it.skipIf(["alignment", "negativeCosine"].includes(name))("refuses a batch of one", () => {
    expect(() => loss(row, row)).toThrow(named);
  });
});

describe.each(Object.entries(ofLabels))("%s", (name, loss) => {
  const named = new RegExp(`^${name}: `);

  it("refuses embeddings and labels that are none, by its name", () => {
    for (const wrong of [...noTensors, vector, empty, texts]) {
      expect(() => loss(wrong, labels), String(wrong)).toThrow(named);
    }
    expect(() => loss(gone, labels)).toThrow(/ is disposed$/);
    for (const wrong of [undefined, null, 3, [0, 1, 0], [0, 1, 0, 1, 1], []]) {
      expect(() => loss(x, wrong as never), String(wrong)).toThrow(named);
    }
    if (name !== "supCon") {
      expect(() => loss(x, [0, 1, 0, Number.NaN])).toThrow(named);
      expect(() => loss(x, [0, 1, 0, "1"] as never)).toThrow(named);
    }
  });

  it("takes integers for numbers", () => expectCasts((input) => loss(input, labels)));

  it.skipIf(!(name in comparisons))("refuses a comparison that gives no matrix of all rows", () => {
    const option = comparisons[name];
    const refused = (how: unknown) =>
      expect(() => tf.tidy(() => loss(x, labels, { [option]: how }))).toThrow(`${name}: ${option}`);
    refused("cosine");
    refused((a: tf.Tensor, b: tf.Tensor) => tf.zeros([a.shape[0] + 1, b.shape[0]]));
    refused((a: tf.Tensor, b: tf.Tensor) => tf.zeros([a.shape[0], b.shape[0] + 1]));
    refused((a: tf.Tensor) => tf.zeros([a.shape[0]]));
    refused(() => 3);
  });
});

it.each(Object.entries({ koLeo, uniformity }))(
  "%s refuses what is no matrix of two rows or more",
  (name, loss) => {
    const named = new RegExp(`^${name}: `);
    for (const wrong of [...noTensors, vector, empty, texts, row, gone])
      expect(() => loss(wrong)).toThrow(named);
    expectCasts((input) => loss(input));
  },
);

const zeros = (shapes: string) => shapes.split(" ").map((shape) => shape.split(",").map(Number));

it.each<[string, number[][], (shape: number[]) => tf.Tensor]>([
  ["mmcr", zeros("0,2,3 4,2,0 4,0,3"), (shape) => mmcr(tf.zeros(shape))],
  [
    "leJEPA",
    zeros("0,4,3 2,0,3 2,4,0"),
    (shape) => leJEPA({ global: tf.zeros(shape), local: tf.ones([1, ...shape.slice(1)]) }),
  ],
  ["sigReg", zeros("0,4,3 2,0,3 2,4,0 0,3 4,0"), (shape) => sigReg(tf.zeros(shape))],
  [
    "dcr",
    zeros("0,3 4,0"),
    ([n, dim]) =>
      dcr({ anchor: tf.zeros([n, dim]), positives: [tf.zeros([n, dim])], negatives: tf.zeros([n, 2, dim]) }),
  ],
])("%s refuses tensors without a value", (name, shapes, loss) => {
  tf.tidy(() => {
    for (const shape of shapes) expect(() => loss(shape), String(shape)).toThrow(new RegExp(`^${name}: `));
  });
});
