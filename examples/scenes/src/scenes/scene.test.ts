import { Random } from "@dcr-js/tensor";
import { describe, expect, it } from "vitest";
import { type Factor, factorNames, factors, identities, styles } from "./factors.js";
import { checkScene, type Scene, sampleScene } from "./scene.js";

const random = new Random(3);
const scenes = Array.from({ length: 6000 }, () => sampleScene(random));

/** Pearson's chi-square statistic over the degrees of freedom, which is 1 on average for uniform draws. */
function chiSquare(values: readonly unknown[], drawn: readonly unknown[]): number {
  const expected = drawn.length / values.length;
  const sum = values.reduce<number>(
    (total, value) => total + (drawn.filter((own) => own === value).length - expected) ** 2 / expected,
    0,
  );
  return sum / (values.length - 1);
}

describe("sampleScene", () => {
  it.each(["identity", "style", ...factorNames] as const)("draws %s uniformly", (key) => {
    const values = key === "identity" ? identities : key === "style" ? styles : factors[key as Factor];
    // 5 lies beyond the 97.5 % quantile of every statistic here; the seed is fixed.
    expect(
      chiSquare(
        values,
        scenes.map((scene) => scene[key]),
      ),
    ).toBeLessThan(5);
  });

  it("draws factors independently", () => {
    for (const a of factorNames) {
      for (const b of factorNames.filter((name) => name !== a)) {
        const cells = factors[a].flatMap((x: unknown) => factors[b].map((y) => `${x} ${y}`));
        const drawn = scenes.map((scene) => `${scene[a]} ${scene[b]}`);
        expect(chiSquare(cells, drawn), `${a} ${b}`).toBeLessThan(5);
      }
    }
  });

  it("takes as many draws whatever is fixed, so that what follows stays", () => {
    const [free, fixed] = [new Random(1), new Random(1)];
    const all = sampleScene(free);
    const some = sampleScene(fixed, { fixed: { count: 3, tint: "tinted" } });
    expect(some).toEqual({ ...all, count: 3, tint: "tinted" });
    expect(fixed.state).toEqual(free.state);
  });

  it("draws from a pool only", () => {
    const pool = { identities: ["ox", "cat"], styles: ["twemoji"] } as const;
    const some = Array.from({ length: 50 }, () => sampleScene(random, pool));
    expect(new Set(some.map((scene) => scene.identity))).toEqual(new Set(["ox", "cat"]));
    expect(new Set(some.map((scene) => scene.style))).toEqual(new Set(["twemoji"]));
  });
});

describe("checkScene", () => {
  it("names a value that is none of its factor's", () => {
    expect(checkScene("f", scenes[0])).toBe(scenes[0]);
    expect(() => checkScene("f", { ...scenes[0], count: 4 } as unknown as Scene)).toThrow(
      "f: count must be one of 1, 2, 3, got 4",
    );
    expect(() => checkScene("f", { ...scenes[0], identity: "unicorn" } as unknown as Scene)).toThrow(
      /f: identity must be one of rat, .*, got "unicorn"/,
    );
  });
});
