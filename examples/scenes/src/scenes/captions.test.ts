import { Random } from "@dcr-js/tensor";
import { describe, expect, it } from "vitest";
import {
  captionWords,
  clipCaption,
  completeCaption,
  detailCaption,
  fullCaption,
  nameCaption,
} from "./captions.js";
import { factorNames, identities, identityFacts } from "./factors.js";
import { type Scene, sampleScene } from "./scene.js";

const scene: Scene = {
  ...{ identity: "tiger", style: "noto", facing: "left", rotation: "upside down", count: 2, position: "top" },
  ...{ size: "small", tint: "tinted", background: "blue", extra: "star" },
} as Scene;
const random = new Random(5);
const scenes = Array.from({ length: 4000 }, () => sampleScene(random));

describe("captions of one scene", () => {
  it("name it, one detail, or all", () => {
    expect(nameCaption(scene)).toBe("tiger");
    expect(factorNames.map((factor) => detailCaption(scene, factor))).toEqual([
      "tiger facing left",
      "tiger upside down",
      "two tigers",
      "tiger at top",
      "small tiger",
      "tinted tiger",
      "tiger on blue",
      "tiger with a star",
    ]);
    expect(detailCaption({ ...scene, count: 3 }, "count", { category: true })).toBe("three animals");
    expect(detailCaption({ ...scene, extra: "none" }, "extra")).toBe("tiger alone");
    expect(completeCaption(scene)).toBe(
      "two small tinted tigers facing left upside down at top on blue with a star by noto",
    );
  });

  it("tell any two values of a factor apart", () => {
    const [a, b] = [completeCaption(scene), completeCaption({ ...scene, rotation: "upright" })];
    expect(a).not.toBe(b);
    const all = scenes.map(completeCaption);
    expect(new Set(all).size).toBe(new Set(scenes.map((own) => JSON.stringify(own))).size);
  });
});

const share = (captions: readonly string[], has: (caption: string, i: number) => boolean) =>
  captions.filter(has).length / captions.length;
/** Four standard errors of a share. */
const near = (expected: number, n: number) => 4 * Math.sqrt((expected * (1 - expected)) / n);

describe("clipCaption", () => {
  const captions = scenes.map((own) => clipCaption(own, random));

  it("says the category in 15 % and a detail in 20 %", () => {
    const category = share(captions, (text, i) => text.includes(identityFacts[scenes[i].identity].category));
    expect(Math.abs(category - 0.15)).toBeLessThan(near(0.15, captions.length));
    const detail = share(
      captions,
      (text, i) => text !== scenes[i].identity && text !== identityFacts[scenes[i].identity].category,
    );
    expect(Math.abs(detail - 0.2)).toBeLessThan(near(0.2, captions.length));
  });
});

describe("fullCaption", () => {
  const captions = scenes.map((own) => fullCaption(own, random));
  const filled = captions.flatMap((text, i) => (text === "" ? [] : [{ text, scene: scenes[i] }]));

  it("is empty in 15 %", () => {
    expect(Math.abs(share(captions, (text) => text === "") - 0.15)).toBeLessThan(near(0.15, captions.length));
  });

  it.each([
    ["facing", 0.9, / facing (left|right)/],
    ["position", 0.9, / at (left|right|top|bottom)/],
    ["background", 0.9, / on (grey|blue|green|pink)/],
    ["extra", 0.9, / (alone|with a (star|heart|clover))/],
    ["size", 0.9, /(small|large) /],
    ["tint", 0.9, /(natural|tinted) /],
    ["count", 0.9, /^(one|two|three) /],
    ["rotation", 0.9, / (upright|upside down)/],
    ["style", 0.5, / by (noto|fluent|twemoji)$/],
  ])("mentions %s with a chance of %d", (_, expected, pattern) => {
    const found = filled.filter(({ text }) => pattern.test(text)).length / filled.length;
    expect(Math.abs(found - expected)).toBeLessThan(near(expected, filled.length));
  });

  it("never says what is not so", () => {
    for (const { text, scene: own } of filled) {
      const all = `${completeCaption(own)} ${identityFacts[own.identity].category} ${identityFacts[own.identity].category}s`;
      const truth = new Set([...all.split(" "), own.identity, identityFacts[own.identity].plural]);
      for (const word of text.split(" ")) expect(truth.has(word), `${text}: ${word}`).toBe(true);
    }
  });
});

describe("captionWords", () => {
  it("is all that captions are made of", () => {
    const words = captionWords();
    expect(words.every((word) => /^[a-z]+$/.test(word))).toBe(true);
    const used = new Set<string>();
    for (const own of scenes) {
      for (const text of [completeCaption(own), clipCaption(own, random), fullCaption(own, random)]) {
        for (const word of text.split(" ").filter(Boolean)) used.add(word);
      }
    }
    expect([...used].filter((word) => !words.includes(word))).toEqual([]);
    expect(words.filter((word) => !used.has(word))).toEqual([]);
  });

  it("makes captions of at most 17 words", () => {
    expect(Math.max(...scenes.map((own) => completeCaption(own).split(" ").length))).toBe(17);
    for (const name of identities) expect(name).toMatch(/^[a-z]+$/);
  });
});
