import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  checkConfig,
  configToYaml,
  mergeSettings,
  readRunConfig,
  readSettings,
  settingNames,
} from "./read-config.js";
import { defaultConfig, settingsHash } from "./run-config.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "dcr-config-"));
});
afterAll(() => rm(folder, { recursive: true }));

const whole = { ...defaultConfig, encoder: "clip", diffusion: "sd", images: "images" };
const read = async (text: string) => {
  const path = join(folder, "run.yaml");
  await writeFile(path, text);
  return readSettings(path);
};

describe("checkConfig", () => {
  it("takes the paper's defaults and what the user names", () => {
    expect(checkConfig("options", whole)).toEqual(whole);
    expect(checkConfig("options", whole)).toMatchObject({
      align: { steps: 100_000, learningRate: 1e-4, batch: 16, accumulation: 2, warmupSteps: 10 },
      enhance: { steps: 4600, learningRate: 1e-5, weightDecay: 0.01, maxGradNorm: 1 },
      lora: { rank: 16, alpha: 16, dropout: 0.1, bias: "lora_only" },
      temperature: 0.1,
    });
  });

  it.each([
    [{ lora: { ...whole.lora, rnak: 3 } }, "x: lora.rnak: no such setting; did you mean lora.rank?"],
    [{ learningRate: 3 }, "x: learningRate: no such setting; did you mean align.learningRate?"],
    [{ temprature: 1 }, "x: temprature: no such setting; did you mean temperature?"],
    [{ quux: 1 }, /^x: quux: no such setting$/],
    [{ encoder: undefined }, /^x: encoder: missing$/],
    [{ encoder: "" }, 'x: encoder: must not be empty, got ""'],
    [{ temperature: 0 }, 'x: temperature: must be a number above 0, or "auto", got 0'],
    [{ temperature: Number.NaN }, /^x: temperature: .*, got NaN$/],
    [{ timesteps: [300, 300] }, "x: timesteps: the first must be below the end, got [300,300]"],
    [
      { methods: [3] },
      /^x: methods.0: must be a method's name, the path of a module, or \{ name, .*, got 3$/,
    ],
    [{ methods: [{ name: "a/b", method: "dcr" }] }, /^x: methods.0.name: must be letters, .*, got "a\/b"$/],
    [
      { methods: [{ name: "rec", method: "dcr" }] },
      'x: methods.0.name: is another method\'s name, got "rec"',
    ],
    [
      { methods: [{ name: "mine", method: "original" }] },
      /^x: methods: mine: method: original trains nothing/,
    ],
    [{ methods: [{ name: "mine" }] }, "x: methods: mine: method: missing"],
    [
      { methods: [{ name: "mine", method: "dcr", enhance: { stps: 3 } }] },
      "x: methods: mine: enhance.stps: no such setting; did you mean enhance.steps?",
    ],
    [
      { methods: [{ name: "mine", method: "dcr", temprature: 3 }] },
      "x: methods: mine: temprature: no such setting; did you mean temperature?",
    ],
    [
      { methods: ["dcr", { name: "dcr late", method: "dcr", enhance: { steps: "3" } }] },
      'x: methods: dcr late: enhance.steps: expected number, got "3"',
    ],
    [{ methods: ["dcr", "dcr"] }, 'x: methods: "dcr" is given twice, got ["dcr","dcr"]'],
    [{ seeds: [1, 0, 2, 0] }, "x: seeds: 0 is given twice, got [1,0,2,0]"],
    // peft's name of the rank.
    [{ lora: { ...whole.lora, r: 3 } }, "x: lora.r: no such setting; did you mean lora.rank?"],
    [{ lora: { ...whole.lora, dropout: 1 } }, /^x: lora.dropout: .*, got 1$/],
    [{ align: { ...whole.align, batch: 0 } }, "x: align.batch: expected a number of more than 0, got 0"],
    [{ enhance: { ...whole.enhance, steps: 1.5 } }, "x: enhance.steps: expected integer, got 1.5"],
    [
      { enhance: { ...whole.enhance, learningRate: Number.NaN } },
      "x: enhance.learningRate: expected number, got NaN",
    ],
    // A slip for 1e-5.
    [
      { enhance: { ...whole.enhance, learningRate: 1e5 } },
      "x: enhance.learningRate: expected a number of at most 1, got 100000",
    ],
    [
      { lora: { ...whole.lora, rank: 65_537 } },
      "x: lora.rank: expected a number of at most 65536, got 65537",
    ],
    [{ seeds: [-1] }, "x: seeds.0: expected a number of at least 0, got -1"],
    [{ methods: [] }, "x: methods: expected a list with a length of at least 1, got []"],
    [{ device: "gpu" }, /^x: device: expected "auto" or .*, got "gpu"/],
    [{ tensorboard: "yes" }, 'x: tensorboard: expected boolean, got "yes"'],
  ])("names what is wrong in %j", (change, message) => {
    expect(() => checkConfig("x", { ...whole, ...change })).toThrow(message);
  });
});

it("takes settings of a method's own under its own name", () => {
  const methods = [{ name: "dcr", method: "dcr", temperature: "auto" as const }];
  expect(checkConfig("x", { ...whole, methods }).methods).toEqual(methods);
});

describe("readSettings", () => {
  it("reads YAML, over which options go section by section", async () => {
    const settings = await read("lora: { rank: 4 }\nseeds: [1, 2]\n");
    const merged = mergeSettings(mergeSettings(whole, settings), { seeds: [3], lora: { alpha: 8 } });
    expect(checkConfig("x", merged)).toEqual({
      ...whole,
      seeds: [3],
      lora: { ...whole.lora, rank: 4, alpha: 8 },
    });
  });

  it.each([
    ["a: [1", /run\.yaml: not valid YAML: .*line 1/],
    ["- 1\n- 2\n", /run\.yaml: expected settings by name, got an array of 2/],
    // All of the section is commented out.
    [
      "enhance:\n  # steps: 3\n",
      /run\.yaml: enhance: expected settings by name, got null; leave its name out too$/,
    ],
    ["lora: 16\n", /run\.yaml: lora: expected settings by name, got 16$/],
    ["a: 1\na: 2\n", /run\.yaml: not valid YAML: Map keys must be unique at line 2/],
    ["lora:\n\trank: 4\n", /run\.yaml: not valid YAML: Tabs are not allowed as indentation/],
    ["seeds: !float32 [1]\n", /run\.yaml: not valid YAML: Unresolved tag: !float32/],
    ["a: 1\n---\nb: 2\n", /run\.yaml: not valid YAML: Source contains multiple documents/],
    ["__proto__: { seeds: [1] }\n", /run\.yaml: __proto__: no such setting/],
    ["a: &x 1\nb: *x\n", /run\.yaml: aliases \(\*x\) are not supported/],
  ])("refuses %j", async (text, message) => {
    await expect(read(text)).rejects.toThrow(message);
  });

  it("refuses what is no text file", async () => {
    const path = join(folder, "latin.yaml");
    await writeFile(path, Uint8Array.of(0x61, 0x3a, 0x20, 0xe9));
    await expect(readSettings(path)).rejects.toThrow(`${path}: not UTF-8`);
    await writeFile(path, " ".repeat(2 ** 20 + 1));
    await expect(readSettings(path)).rejects.toThrow(`${path}: expected at most 1048576 bytes`);
    await expect(readSettings(folder)).rejects.toThrow(`${folder}: expected a file, got a folder`);
  });

  it("names a setting of the wrong type, from YAML's own kinds", async () => {
    for (const [text, message] of [
      ["<<: { seeds: [1] }", /<<: no such setting/],
      ["strict: yes", /strict: .*, got "yes"/],
      ["seeds: 1", /seeds: .*, got 1/],
      ["seeds: [1e400]", /seeds\.0: .*, got Infinity/],
      ["seeds: [9007199254740993]", /seeds\.0: expected .*, got 9007199254740992/],
      ["images: 5", /images: .*, got 5/],
      ["images: null", /images: .*, got null/],
    ] as const) {
      const settings = await read(text);
      expect(() => checkConfig("x", mergeSettings(whole, settings)), text).toThrow(message);
    }
  });

  it("names a file or folder that is not there", async () => {
    await expect(readSettings(join(folder, "none.yaml"))).rejects.toThrow(/none\.yaml: no such file/);
    await expect(readRunConfig(join(folder, "none"))).rejects.toThrow(/none: no such folder/);
    await expect(readRunConfig(folder)).rejects.toThrow(/there is no run here, it has no config\.yaml/);
  });
});

it("writes a configuration that reads as the same one", async () => {
  const config = checkConfig("x", { ...whole, encoder: "weird: #name", evaluate: ["mmvp:/x y"] });
  expect(checkConfig("x", await read(configToYaml(config)))).toEqual(config);
});

it("takes a variant of a method with some settings of its own", () => {
  const methods = [
    "naive",
    { name: "naive pcgrad", method: "naive", aggregator: "pcgrad", enhance: { steps: 3 } },
  ];
  const config = checkConfig("x", { ...whole, methods });
  expect(config.methods).toEqual(methods);
  expect(settingsHash(config)).not.toBe(settingsHash({ ...config, methods: ["naive"] }));
});

it("settingsHash depends on every setting and on no order", () => {
  const reversed = Object.fromEntries(Object.entries(whole).reverse()) as typeof whole;
  expect(settingsHash(reversed)).toBe(settingsHash(whole));
  expect(settingsHash({ ...whole, lora: { ...whole.lora, rank: 8 } })).not.toBe(settingsHash(whole));
  expect(settingNames()).toContain("enhance.maxGradNorm");
});
