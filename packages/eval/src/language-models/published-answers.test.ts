import { readFileSync } from "node:fs";
import { recordParity } from "@dcr-js/testing";
import { afterAll, describe, expect, it } from "vitest";
import {
  cvBenchAnswer,
  mmvpAnswer,
  naturalBenchAnswer,
  popeAnswer,
  scienceQAAnswer,
} from "./published-answers.js";

/** How the published scripts read these answers; made by tools/reference/vlm_answers.py. */
const golden = JSON.parse(
  readFileSync(new URL("../../fixtures/vlm-answers.json", import.meta.url), "utf8"),
) as {
  answers: string[];
  options: string[];
  mmvp: string[][];
  cvBench2D: string[];
  cvBench3D: string[];
  naturalBench: Record<"yes_no" | "multiple_choice", number[]>;
  pope: string[];
  scienceQA: Record<"2" | "4", number[]>;
};

describe("answers are read as the published scripts read them", () => {
  let wrong = golden.answers.length;
  afterAll(() => {
    const peers = {
      mmvpAnswer: "Cambrian's script",
      cvBenchAnswer: "CV-Bench's script",
      naturalBenchAnswer: "NaturalBench's script",
      popeAnswer: "POPE's script",
      scienceQAAnswer: "LLaVA's script",
    };
    // Each answer is compared by all five rules.
    for (const [name, peer] of Object.entries(peers))
      recordParity({ name, peer, value: wrong / golden.answers.length });
  });
  it.each(golden.answers.map((answer, i) => [answer, i] as const))("%j", (answer, i) => {
    const letter = mmvpAnswer(answer, golden.options);
    expect(letter === undefined ? [] : [letter.toLowerCase()]).toEqual(golden.mmvp[i]);
    // The scripts compare the first character with the right letter.
    for (const script of [golden.cvBench2D, golden.cvBench3D]) {
      const expected = /^[a-f]$/.test(script[i]) ? script[i].toUpperCase() : undefined;
      expect(cvBenchAnswer(answer)).toBe(expected);
    }
    const byCode = { 1: ["Yes", "A"], 0: ["No", "B"], "-1": [undefined, undefined] } as const;
    for (const [at, type] of (["yes_no", "multiple_choice"] as const).entries()) {
      const expected = byCode[String(golden.naturalBench[type][i]) as "1"][at];
      expect(naturalBenchAnswer(answer, type)).toBe(expected);
    }
    expect(popeAnswer(answer)).toBe(golden.pope[i]);
    for (const choices of [2, 4] as const) {
      const place = golden.scienceQA[choices][i];
      expect(scienceQAAnswer(answer, choices)).toBe(place < 0 ? undefined : "ABCDE"[place]);
    }
    wrong--;
  });
});

it("refuses what is no answer", () => {
  expect(() => popeAnswer(3 as never)).toThrow("popeAnswer: answer must be a text, got 3");
  for (const options of [["x"], ["x", 3], "xy", undefined] as never[]) {
    expect(() => mmvpAnswer("A", options)).toThrow("mmvpAnswer: options must be a list of texts, got");
  }
  expect(() => naturalBenchAnswer("A", "choice" as never)).toThrow(
    'naturalBenchAnswer: type must be one of yes_no, multiple_choice, got "choice"',
  );
  expect(() => scienceQAAnswer("A", 6)).toThrow("scienceQAAnswer: choices must be an integer");
  expect(() => cvBenchAnswer(null as never)).toThrow("cvBenchAnswer: answer must be a text, got null");
});
