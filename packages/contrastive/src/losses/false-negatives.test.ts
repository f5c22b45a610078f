import "@tensorflow/tfjs-backend-cpu";
import { expectClose, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import "../shared/register-gradients.js";
import { infoNCE } from "./info-nce.js";
import { multiPositive } from "./multi-positive.js";
import { ntXent } from "./nt-xent.js";
import { supCon } from "./sup-con.js";

const matrix = (seed: number) => tf.tensor2d(normalArray(seed, 12), [4, 3]);

it("infoNCE leaves false negatives out, both ways, as multiPositive does", () => {
  tf.tidy(() => {
    const [query, positive] = [matrix(1), matrix(2)];
    // Positive 2 is a false negative of query 0.
    const excluded = Array.from({ length: 16 }, (_, at) => at === 2);
    const own = Array.from({ length: 16 }, (_, at) => at % 5 === 0);
    const one = multiPositive(query, positive, { positive: own, excluded, reduction: "none" });
    expectClose(infoNCE(query, positive, { excluded, reduction: "none" }), one, { relative: 1e-6 });
    const back = Array.from({ length: 16 }, (_, at) => at === 8);
    const other = multiPositive(positive, query, { positive: own, excluded: back, reduction: "none" });
    const both = infoNCE(query, positive, { excluded, symmetric: true, reduction: "none" });
    expectClose(both, tf.div(tf.add(one, other), 2), { relative: 1e-6 });
    expect(() => infoNCE(query, positive, { excluded, negatives: positive })).toThrow(
      "infoNCE: negatives cannot be used with excluded",
    );
    own[0] = false;
    expect(() => infoNCE(query, positive, { excluded: own.map((_, at) => at === 0) })).toThrow(
      "infoNCE: anchor 0 has no positive",
    );
  });
});

it("ntXent leaves false negatives out as supCon does", () => {
  tf.tidy(() => {
    const [a, b] = [matrix(3), matrix(4)];
    const excluded = Array.from({ length: 64 }, (_, at) => at === 3 || at === 24);
    const labels = [0, 1, 2, 3, 0, 1, 2, 3];
    const expected = supCon(tf.concat([a, b]), labels, { excluded, reduction: "none" });
    expectClose(ntXent(a, b, { excluded, reduction: "none" }), expected, { relative: 1e-6 });
    expect(() => ntXent(a, b, { excluded: [true] })).toThrow(
      "ntXent: excluded must have 8 x 8 = 64 entries, one for each anchor and candidate, got 1",
    );
  });
});
