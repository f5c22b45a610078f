import { initialize } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { withTensorScope } from "./tensor-scope.js";

beforeAll(() => initialize({ device: "cpu" }));

describe("withTensorScope", () => {
  const things = () => {
    let disposals = 0;
    const module = { dispose: () => disposals++, weight: tf.ones([2]) };
    // A list of losses may have one of that name.
    const named = { dispose: tf.ones([3]), other: [tf.ones([4]), { deep: tf.ones([5]) }] };
    return { owned: [tf.ones([1]), [tf.ones([1])], named, module], module, count: () => disposals };
  };

  it("disposes what it owns at its end, and gives it as it is", async () => {
    const before = tf.memory().numTensors;
    const { owned, module, count } = things();
    const result = await withTensorScope(async ({ own }) => {
      for (const each of owned) expect(own(each)).toBe(each);
      await Promise.resolve();
      expect(count()).toBe(0);
      return owned.length;
    });
    expect(result).toBe(4);
    // An object that has a dispose() frees its tensors itself.
    expect(count()).toBe(1);
    expect(tf.memory().numTensors).toBe(before + 1);
    module.weight.dispose();
  });

  it("has nothing to dispose of what is no object", async () => {
    const given = [undefined, null, 3, "x"] as unknown as object[];
    const owned = withTensorScope(async ({ own }) => given.map((each) => own(each)));
    await expect(owned).resolves.toEqual(given);
  });

  it("disposes what it owns where the work throws", async () => {
    const before = tf.memory().numTensors;
    const { owned, module, count } = things();
    const work = withTensorScope(async ({ own }) => {
      for (const each of owned) own(each);
      throw new Error("stopped");
    });
    await expect(work).rejects.toThrow("stopped");
    expect(count()).toBe(1);
    module.weight.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});
