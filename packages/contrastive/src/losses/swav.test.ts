import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { expectGolden } from "../../test/golden.js";
import { checkLossProperties } from "../testing/check-loss-properties.js";
import { swav } from "./swav.js";

describe("swav equals its peer", () => {
  it("swav", () => expectGolden("swav", (a, b) => swav([a, b])));
  it("swav lowResolution", () =>
    expectGolden("swav lowResolution", (a, b) => swav([a], { lowResolution: [b] })));
});

it("has the properties of a loss", async () => {
  const inputs = [tf.tensor2d(normalArray(1, 20), [5, 4]), tf.tensor2d(normalArray(2, 20), [5, 4])];
  await checkLossProperties(([a, b]) => swav([a, b]), {
    inputs,
  });
  tf.dispose(inputs);
});

it("refuses unknown options", () => {
  tf.tidy(() => {
    expect(() => swav([tf.ones([2, 3]), tf.ones([2, 3])], { temperatures: 1 } as never)).toThrow(
      'swav: unknown option "temperatures"',
    );
  });
});

it("refuses crops of different shapes", () => {
  tf.tidy(() => {
    const x = tf.ones([2, 3]);
    for (const other of [tf.ones([4, 3]), tf.ones([2, 4])]) {
      expect(() => swav([x, other])).toThrow("swav: expected crops of one shape");
      expect(() => swav([x], { lowResolution: [other] })).toThrow("swav: expected crops of one shape");
    }
  });
});
