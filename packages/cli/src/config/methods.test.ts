import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import {
  checkMethodNames,
  checkVariant,
  methodLabel,
  readMethod,
  settingsOf,
  usesSetting,
  withOwnSettings,
} from "./methods.js";
import { defaultConfig, type Method, type RunConfig } from "./run-config.js";

const base: RunConfig = { ...defaultConfig, encoder: "clip", diffusion: "sd", images: "photos" };

describe("settingsOf", () => {
  it("puts a variant's settings over the run's, section by section", () => {
    const variant: Method = { name: "short", method: "dcr", enhance: { steps: 5 }, temperature: "auto" };
    expect(settingsOf(variant, base)).toEqual({
      ...base,
      enhance: { ...base.enhance, steps: 5 },
      temperature: "auto",
    });
    expect(settingsOf("dcr", base)).toBe(base);
  });
});

it("methodLabel is a name, or that of a module's file", () => {
  expect(["dcr", "/x/my-loss.mjs", { name: "a b", method: "dcr" }].map(methodLabel)).toEqual([
    "dcr",
    "my-loss",
    "a b",
  ]);
});

it("checkMethodNames names a method that is a slip, and a module that is not there", () => {
  const check = (...methods: string[]) => checkMethodNames({ methods: methods as ["dcr"] });
  expect(() => check("dcr", "rec", fileURLToPath(import.meta.url))).not.toThrow();
  expect(() => check("rec", "/x/dcrr")).toThrow(
    /^--methods: no method "dcrr"; methods are original, rec, con, naive, dcr, .*; did you mean dcr\?$/,
  );
  expect(() => check("/x/naiv+pcgrad")).toThrow(/^--methods: no method "naiv\+pcgrad"; .*mean naive\?$/);
  expect(() => check("/x/loss.mjs")).toThrow(/^--methods: \/x\/loss\.mjs: no such file$/);
});

describe("readMethod", () => {
  it("takes a method with an aggregator for a variant of it", () => {
    expect(readMethod("naive+grad-vac")).toEqual({
      name: "naive+grad-vac",
      method: "naive",
      aggregator: "grad-vac",
    });
  });

  it.each(["naive", "./naive+mine.mjs", "mine+pcgrad", "naive+", "+pcgrad"])("leaves %s as it is", (text) => {
    expect(readMethod(text)).toBe(text);
  });
});

it("withOwnSettings puts a short form's own settings over those of the method alone, section by section", () => {
  const file = [
    { name: "naive", method: "naive", enhance: { steps: 5 }, naive: { lambdaRec: 10 } },
    { name: "naive+pcgrad", method: "naive", enhance: { batch: 4 } },
  ];
  const asked = ["naive+pcgrad", "naive+upgrad", "naive", "rec"].map(readMethod);
  expect(withOwnSettings(asked, file)).toEqual([
    {
      name: "naive+pcgrad",
      method: "naive",
      aggregator: "pcgrad",
      enhance: { steps: 5, batch: 4 },
      naive: { lambdaRec: 10 },
    },
    { ...file[0], name: "naive+upgrad", aggregator: "upgrad" },
    file[0],
    "rec",
  ]);
});

it("usesSetting tells which methods a run's aggregator is of", () => {
  const uses = (method: Method) => usesSetting(method, "aggregator", of);
  const of = { alignment: "rec" as const, positives: base.positives };
  const methods = ["original", "rec", "con", "naive", "dcr", "/mine.mjs"];
  expect(methods.map(uses)).toEqual([false, false, false, true, true, true]);
  // With one positive the DCR loss is one loss, and some aggregators would scale its gradient.
  const one = { ...of, positives: ["target" as const] as RunConfig["positives"] };
  for (const setting of ["aggregator", "conflict"] as const) {
    const used = methods.map((method) => usesSetting(method, setting, one));
    expect(used).toEqual([false, false, false, true, false, true]);
  }
  expect(usesSetting("dcr", "positives", one)).toBe(true);
});

describe("checkVariant", () => {
  const of = (alignment: "rec" | "dcr" | undefined) => ({ alignment, positives: base.positives });

  it("refuses a setting that its method does not use", () => {
    const variant = (settings: object): Method => ({ name: "x", method: "rec", ...settings });
    expect(() => checkVariant(variant({ temperature: 1 }), of("rec"))).toThrow(
      "--methods: x: rec does not use temperature; only con, naive and dcr do",
    );
    // The DCR loss that aligns its projector takes one.
    expect(() => checkVariant(variant({ temperature: 1 }), of("dcr"))).not.toThrow();
    expect(() => checkVariant(variant({ lora: { rank: 2 } }), of("rec"))).not.toThrow();
    expect(() => checkVariant({ name: "x", method: "/mine.mjs", temperature: 1 }, of("rec"))).not.toThrow();
    // An alignment aggregates nothing.
    expect(() => checkVariant(variant({ aggregator: "pcgrad" }), of("dcr"))).toThrow(
      /rec does not use aggregator/,
    );
    expect(() => checkVariant(variant({ endToEnd: true, align: { steps: 3 } }), of(undefined))).toThrow(
      "--methods: x: rec does not use align; only methods with a stage 1 do",
    );
  });
});
