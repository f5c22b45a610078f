import { describe, expect, it } from "vitest";
import { conflictFromGroupedGram } from "../measure/conflict.js";
import { stepProjection } from "../measure/projection.js";
import type { ConflictRecord } from "./conflict-record.js";
import { jsonLinesBefore, parseJsonLines, toJsonLine } from "./json-lines.js";

const record = (step: number): ConflictRecord => {
  const gram = [4, -1, -1, 1];
  const names = ["con", "rec"];
  return {
    step,
    values: { con: 1, rec: 0.5 },
    conflict: conflictFromGroupedGram(names, {
      whole: Float64Array.from(gram),
      groups: { "layers.0": Float64Array.from(gram) },
    }),
    weights: { con: 1, rec: 1 },
    projection: stepProjection(names, gram, [1, 1]),
    curvature: { con: 3, rec: 0 },
    memory: [1, 2],
  };
};

describe("JSON lines", () => {
  it("hold records whole, one a line", () => {
    const text = [0, 1, 2].map((step) => toJsonLine(record(step))).join("");
    expect(text.split("\n").length).toBe(4);
    expect(parseJsonLines(text)).toEqual([0, 1, 2].map(record));
    // As editors and PowerShell write text.
    expect(parseJsonLines(`\uFEFF${text.replaceAll("\n", "\r\n")}`)).toEqual([0, 1, 2].map(record));
  });

  it("go on after an interruption: a torn line and the steps that come again are dropped", () => {
    const text = [0, 1, 2].map((step) => toJsonLine(record(step))).join("");
    const torn = text + toJsonLine(record(3)).slice(0, 40);
    expect(parseJsonLines(torn)).toEqual([0, 1, 2].map(record));
    const kept = jsonLinesBefore(torn, 2);
    expect(kept + toJsonLine(record(2))).toBe(text);
    expect(jsonLinesBefore("", 0)).toBe("");
    expect(parseJsonLines(`\n${text}  \n`)).toEqual([0, 1, 2].map(record));
    for (const step of [-1, 0.5, Number.NaN]) {
      expect(() => jsonLinesBefore(text, step)).toThrow(
        "jsonLinesBefore: step must be an integer, at least 0",
      );
    }
  });

  it("refuse what JSON cannot hold and what is no record, with the place", () => {
    const broken = (change: object) => () => toJsonLine({ ...record(1), ...change } as never);
    expect(broken({ values: { con: Number.NaN } })).toThrow('values["con"] must be a finite number, got NaN');
    expect(broken({ step: 0.5 })).toThrow("step must be an integer, at least 0, got 0.5");
    expect(broken({ gradients: {} })).toThrow('unknown option "gradients"');
    expect(broken({ conflict: undefined })).toThrow(
      "conflict must be what gradientConflict gives, got undefined",
    );
    expect(
      broken({ conflict: { norms: {}, pairs: [{ losses: ["a"], cosine: 0, magnitudeSimilarity: 1 }] } }),
    ).toThrow("conflict.pairs[0].losses must be two names, got an array of 1");
    expect(
      broken({ conflict: { norms: {}, pairs: [{ losses: ["a", "b"], cosine: 2, magnitudeSimilarity: 1 }] } }),
    ).toThrow("conflict.pairs[0].cosine must be a finite number, at least -1 and at most 1, got 2");
    expect(() => parseJsonLines(`${toJsonLine(record(0))}{"step":\n`)).toThrow(/line 2 is not JSON/);
    expect(() => parseJsonLines("3\n")).toThrow("line 1 must be a record of a step, got 3");
  });

  it("refuse every part that is not what it must be, with its place", () => {
    const pair = { losses: ["a", "b"], cosine: 0, magnitudeSimilarity: 1 };
    const conflict = (change: object) => ({ conflict: { norms: {}, pairs: [], ...change } });
    const parts: [object, string][] = [
      [{ step: -1 }, "step"],
      [{ step: undefined }, "step"],
      [{ values: 3 }, "values"],
      [{ values: { con: "1" } }, 'values["con"]'],
      [{ weights: { con: Number.NaN } }, 'weights["con"]'],
      [{ curvature: { con: Number.NaN } }, 'curvature["con"]'],
      [{ memory: [1, Number.NaN] }, 'memory["1"]'],
      [{ projection: { shares: { con: Number.NaN }, cosines: {} } }, 'projection.shares["con"]'],
      [{ projection: { shares: {}, cosines: { con: Number.NaN } } }, 'projection.cosines["con"]'],
      [{ projection: { shares: {} } }, "projection.cosines"],
      [{ projection: { shares: {}, cosines: {}, more: 1 } }, '"more"'],
      [conflict({ norms: { con: Number.NaN } }), 'conflict.norms["con"]'],
      [conflict({ norms: null }), "conflict: norms"],
      [conflict({ pairs: {} }), "conflict.pairs"],
      [conflict({ more: 1 }), '"more"'],
      [conflict({ pairs: [pair, { ...pair, losses: ["a", 1] }] }), "conflict.pairs[1].losses"],
      [conflict({ pairs: [{ ...pair, losses: "ab" }] }), "conflict.pairs[0].losses"],
      [conflict({ pairs: [{ ...pair, cosine: -1.01 }] }), "conflict.pairs[0].cosine"],
      [
        conflict({ pairs: [{ ...pair, magnitudeSimilarity: -0.01 }] }),
        "conflict.pairs[0].magnitudeSimilarity",
      ],
      [
        conflict({ pairs: [{ ...pair, magnitudeSimilarity: 1.01 }] }),
        "conflict.pairs[0].magnitudeSimilarity",
      ],
      [conflict({ pairs: [{ ...pair, more: 1 }] }), '"more"'],
      [conflict({ groups: { "layers.0": { norms: {} } } }), 'conflict.groups["layers.0"].pairs'],
      [conflict({ groups: { "layers.0": 1 } }), 'conflict.groups["layers.0"]'],
    ];
    for (const [change, place] of parts) {
      expect(() => toJsonLine({ ...record(1), ...change } as never), JSON.stringify(change)).toThrow(place);
    }
    const ends = [
      { ...pair, cosine: -1, magnitudeSimilarity: 0 },
      { ...pair, cosine: 1, magnitudeSimilarity: 1 },
    ];
    expect(toJsonLine({ ...record(0), ...conflict({ pairs: ends }) } as never)).toContain('"cosine":-1');
  });
});

it("refuses a text that is none, such as a file's bytes", () => {
  expect(() => parseJsonLines(new Uint8Array(2) as never)).toThrow(
    "parseJsonLines: text must be a string, got",
  );
});
