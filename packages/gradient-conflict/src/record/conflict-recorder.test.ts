import { expectClose } from "@dcr-js/testing";
import { describe, expect, it } from "vitest";
import { conflictFromGroupedGram } from "../measure/conflict.js";
import { createConflictRecorder, recordConflict, summarizeConflict } from "./conflict-recorder.js";

/** Two gradients of length 1 with this cosine, of which a group has the opposite. */
const conflict = (cosine: number) =>
  conflictFromGroupedGram(["con", "rec"], {
    whole: Float64Array.of(1, cosine, cosine, 1),
    groups: { "layers.0": Float64Array.of(1, -cosine, -cosine, 1) },
  });

describe("ConflictRecorder", () => {
  const cosines = [0.5, -0.5, -0.25, 0.75, -1];

  it("counts conflicts overall and in a moving window, for the whole and each group", () => {
    let recorder = createConflictRecorder({ window: 2 });
    expect(summarizeConflict(recorder)).toEqual([]);
    const empty = JSON.stringify(recorder);
    const first = recorder;
    for (const cosine of cosines) recorder = recordConflict(recorder, conflict(cosine));
    expect(JSON.stringify(first)).toBe(empty);
    const [whole, group] = summarizeConflict(recorder);
    expect(whole).toMatchObject({ losses: ["con", "rec"], steps: 5, negativeShare: 0.6 });
    expect(whole.group).toBeUndefined();
    expect(whole.recent).toEqual({ steps: 2, negativeShare: 0.5, meanCosine: -0.125 });
    expectClose([whole.meanCosine], [-0.1], { relative: 1e-12 });
    expect(group).toMatchObject({ group: "layers.0", steps: 5, negativeShare: 0.4 });
  });

  it("goes on after JSON as if nothing had happened", () => {
    let whole = createConflictRecorder({ window: 3 });
    let resumed = createConflictRecorder({ window: 3 });
    for (const cosine of cosines) {
      whole = recordConflict(whole, conflict(cosine));
      resumed = JSON.parse(JSON.stringify(recordConflict(resumed, conflict(cosine))));
    }
    // A key whose value is undefined is lost in JSON.
    expect(resumed).toStrictEqual(whole);
  });

  it("refuses an impossible window", () => {
    for (const window of [0, 1.5, Number.NaN]) {
      expect(() => createConflictRecorder({ window })).toThrow(/window must be an integer, at least 1, got/);
    }
  });
});

it("refuses a saved recorder with a number that JSON lost", () => {
  const pair = { losses: ["a", "b"], steps: 2, negative: 1, cosineSum: 0, recent: [1, -1] };
  const refused: [object, string][] = [
    [{ pairs: [] }, "recorder.window must be an integer, at least 1, got undefined"],
    [
      { window: 2, pairs: [{ ...pair, steps: null }] },
      "recorder.pairs[0].steps must be an integer, at least 1, got null",
    ],
    [
      { window: 2, pairs: [{ ...pair, cosineSum: null }] },
      "recorder.pairs[0].cosineSum must be a finite number",
    ],
    [{ window: 2, pairs: [{ ...pair, negative: 3 }] }, "recorder.pairs[0].negative must be an integer"],
    [
      { window: 2, pairs: [{ ...pair, recent: [null] }] },
      "recorder.pairs[0].recent[0] must be a finite number",
    ],
    [
      { window: 9, pairs: [{ ...pair, recent: [1, -1, 0] }] },
      "recorder.pairs[0].recent.length must be a finite number, at least 1 and at most 2, got 3",
    ],
    [{ window: 9, pairs: [{ ...pair, recent: [] }] }, "recorder.pairs[0].recent.length must be"],
    [{ window: 2, pairs: [{ ...pair, losses: ["a"] }] }, "recorder.pairs[0].losses must be two names"],
  ];
  for (const [recorder, message] of refused) {
    expect(() => recordConflict(recorder as never, { norms: {}, pairs: [] })).toThrow(message);
    expect(() => summarizeConflict(recorder as never)).toThrow(message);
  }
});

it("refuses what is no conflict, by its place", () => {
  const recorder = createConflictRecorder();
  const pair = { losses: ["a", "b"], cosine: 0.5, magnitudeSimilarity: 1 };
  const refused: [unknown, string][] = [
    [undefined, "conflict must be of gradientConflict, got undefined"],
    [{}, "conflict must be of gradientConflict, got a Object"],
    [
      { pairs: [{ ...pair, losses: undefined }] },
      "conflict.pairs[0].losses must be two names, got undefined",
    ],
    [{ pairs: [pair, { ...pair, cosine: Number.NaN }] }, "conflict.pairs[1].cosine must be a finite number"],
    [{ pairs: [], groups: { g: null } }, 'conflict.groups["g"] must be of gradientConflict, got null'],
  ];
  for (const [conflict, message] of refused) {
    expect(() => recordConflict(recorder, conflict as never)).toThrow(`recordConflict: ${message}`);
  }
});
