import { fileURLToPath } from "node:url";
import type { EvaluationInput } from "@dcr-js/cli";
import { loadImageEncoder } from "@dcr-js/encoders";
import { initialize } from "@dcr-js/tensor";
import { expectNoLeaks } from "@dcr-js/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CreateEvaluationOptions, createEvaluation } from "./create-evaluation.js";
import test from "./test.js";

/** A CLIP of random weights for images of 32 x 32. */
const folder = fileURLToPath(new URL("../../../../packages/cli/fixtures/models/clip", import.meta.url));
let input: EvaluationInput;
let dispose: () => void;
beforeAll(async () => {
  await initialize({ device: "wasm" });
  const loaded = await loadImageEncoder(folder);
  dispose = loaded.dispose;
  input = {
    encoder: loaded.encoder,
    processor: loaded.processor,
    dispose,
    seed: 0,
    encodeText: async (texts) => {
      const ids = loaded.tokenizer!.encode(texts);
      try {
        return loaded.textEncoder!.encodeText(ids);
      } finally {
        ids.dispose();
      }
    },
  } as EvaluationInput;
});
afterAll(() => dispose());

const small = { pairs: 160, scenes: 200 } as const;

describe("createEvaluation", () => {
  it("gives figures of one form, the same each time, and others for another seed or split", async () => {
    await expectNoLeaks(async () => {
      const first = await createEvaluation({ ...small, outOfDomain: false })(input);
      const { figures, standardErrors, patterns, features } = first;
      expect(Object.keys(figures)).toEqual([
        "means",
        "held-out style",
        "unknown identities",
        "mild",
        "P by style",
        "variance explained",
      ]);
      expect(Object.keys(figures.means)).toEqual(["D", "P strict", "P two-way", "k-NN"]);
      for (const group of Object.values(figures)) {
        for (const [name, value] of Object.entries(group)) expect(value >= 0 && value <= 1, name).toBe(true);
      }
      const d = ["held-out style", "unknown identities"].flatMap((set) => [
        figures[set].NMI,
        figures[set].ACC,
      ]);
      expect(figures.means.D).toBeCloseTo(d.reduce((sum, value) => sum + value, 0) / 4, 12);
      const p = figures.means["P two-way"];
      expect(standardErrors!.means["P two-way"]).toBeCloseTo(Math.sqrt((p * (1 - p)) / 160), 12);
      expect(patterns!.length).toBe(3 * 8);
      for (const { count } of patterns!) expect(count).toBe(20);
      expect(features!.values.length).toBe(features!.labels.length);

      expect(await createEvaluation({ ...small, outOfDomain: false })(input)).toEqual(first);
      for (const other of [{ seed: 77 }, { split: "validation" }] as const) {
        const evaluation = await createEvaluation({ ...small, outOfDomain: false, ...other })(input);
        expect(evaluation.figures).not.toEqual(figures);
      }
    });
  });

  it("evaluates out of domain too", async () => {
    const { figures } = await createEvaluation(small)(input);
    for (const set of ["MNIST", "single emoji"]) {
      expect(Object.keys(figures[set])).toEqual(["NMI", "ACC", "kNN"]);
    }
  });

  it.each([
    [{ splits: "test" }, 'createEvaluation: unknown option "splits"'],
    [{ split: "train" }, 'createEvaluation: split must be one of validation, test, got "train"'],
    [{ pairs: 100 }, "createEvaluation: pairs must be a multiple of 16, got 100"],
    [{ scenes: 10 }, "createEvaluation: scenes must be an integer, at least 200, got 10"],
    [{ seed: -1 }, "createEvaluation: seed must be an integer, at least 0, got -1"],
    [{ outOfDomain: 1 }, "createEvaluation: outOfDomain must be a boolean, got 1"],
  ])("refuses %j", (options, message) => {
    expect(() => createEvaluation(options as CreateEvaluationOptions)).toThrow(message);
  });

  it("is what the modules export", () => {
    expect(test).toBeTypeOf("function");
  });
});
