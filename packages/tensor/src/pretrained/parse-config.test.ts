import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  choice,
  imageSide,
  layerCount,
  levels,
  multipleOf,
  valueOrEqualList,
  width,
} from "./config-fields.js";
import { type ConfigFormat, parseConfig } from "./parse-config.js";
import { transformersKeys } from "./transformers-keys.js";

const schema = z
  .object({
    hidden_size: width.default(8),
    heads: layerCount.default(2),
    act_fn: choice(["silu", "gelu"], { swish: "silu" }).default("silu"),
    sample_size: valueOrEqualList(imageSide).nullish(),
    head_dim: z.union([width, levels(width)]).optional(),
    epsilon: z.number().positive().default(1e-5),
  })
  .refine(...multipleOf("hidden_size", "heads"));

const format = {
  name: "Tower",
  schema,
  harmless: ["dropout", ...transformersKeys],
  neutral: {
    conv_in_kernel: [3],
    only_cross_attention: [false],
    class_embed_type: [null],
    latents_mean: [null],
  },
} satisfies ConfigFormat<typeof schema>;

const parse = (config: unknown, acceptKeys?: string[]) =>
  parseConfig(format, config, { file: "/models/a/config.json", acceptKeys });

describe("parseConfig", () => {
  it("fills in defaults and takes equivalent forms", () => {
    expect(parse({})).toEqual({ hidden_size: 8, heads: 2, act_fn: "silu", epsilon: 1e-5 });
    expect(parse({ act_fn: "swish", sample_size: [8, 8], head_dim: [4, 4] })).toMatchObject({
      act_fn: "silu",
      sample_size: 8,
      head_dim: [4, 4],
    });
  });

  it("keeps harmless keys, transformers' generic keys and those that start with an underscore", () => {
    const harmless = {
      dropout: 0.1,
      _class_name: "Tower",
      max_length: 20,
      torchscript: false,
      id2label: { 0: "a" },
    };
    expect(parse(harmless)).toMatchObject(harmless);
  });

  it("takes neutral values, also as a list", () => {
    const neutral = { conv_in_kernel: 3, only_cross_attention: [false, false], class_embed_type: null };
    expect(parse(neutral)).toMatchObject(neutral);
  });

  it.each([
    { only_cross_attention: true },
    { only_cross_attention: [false, true] },
    { only_cross_attention: [] },
    { conv_in_kernel: 5 },
    { conv_in_kernel: null },
    { class_embed_type: "timestep" },
    { latents_mean: [0, 0, 0, 0] },
  ])("refuses a key that changes the result: %j", (config) => {
    const [[key, value]] = Object.entries(config) as [[string, unknown]];
    expect(() => parse(config, [key])).toThrow(`Tower: /models/a/config.json: ${key}: changes the result`);
    expect(() => parse(config)).toThrow(`got ${JSON.stringify(value)}`);
  });

  it("refuses an unknown key by name unless it is null, false or accepted by name", () => {
    expect(() => parse({ new_trick: 2 })).toThrow(
      "Tower: /models/a/config.json: new_trick: unknown key, got 2; if it may be ignored, name it in acceptKeys",
    );
    for (const value of [true, 0, "", [], {}]) expect(() => parse({ new_trick: value })).toThrow("new_trick");
    expect(() => parse({ toString: 1, constructor: 2 })).toThrow(/toString: .*constructor: /);
    for (const value of [null, false, undefined]) parse({ new_trick: value });
    expect(parse({ new_trick: 2 }, ["new_trick"])).toMatchObject({ new_trick: 2 });
    expect(() => parse({ new_trick: 2, other: 1 }, ["new_trick"])).toThrow("other: unknown key");
  });

  it("names a key of a nested configuration by its path", () => {
    const nested = { at: "text_config", file: "config.json" };
    expect(() => parseConfig(format, { heads: 0, new_trick: 1 }, nested)).toThrow(
      "Tower: config.json: text_config.heads: expected a number of at least 1, got 0; text_config.new_trick: unknown key, got 1",
    );
    for (const name of ["new_trick", "text_config.new_trick"]) {
      parseConfig(format, { new_trick: 1 }, { ...nested, acceptKeys: [name] });
    }
    expect(() =>
      parseConfig(format, { new_trick: 1 }, { ...nested, acceptKeys: ["vision_config.new_trick"] }),
    ).toThrow();
  });

  it.each([
    [{ heads: 1e8 }, "heads: expected a number of at most 1024, got 100000000"],
    [{ heads: 1.5 }, "heads: expected integer, got 1.5"],
    [{ heads: "2" }, 'heads: expected number, got "2"'],
    [{ hidden_size: 9 }, "hidden_size must be a multiple of heads, got 9 and 2"],
    [{ epsilon: 0 }, "epsilon: expected a number of more than 0, got 0"],
    [{ epsilon: Number.NaN }, "epsilon: expected number, got NaN"],
    [{ act_fn: "relu" }, 'act_fn: expected "silu" or "gelu", got "relu"'],
    [{ sample_size: [8, 9] }, "sample_size: expected number, got [8,9]"],
    [{ head_dim: "4" }, 'head_dim: expected number or array, got "4"'],
    [null, "config must be an object, got null"],
    [[], "config must be an object, got []"],
  ])("says on one line what is wrong with %j", (config, message) => {
    expect(() => parse(config)).toThrow(new Error(`Tower: /models/a/config.json: ${message}`));
  });

  it("says that a key is missing", () => {
    expect(() => parseConfig({ name: "Tower", schema: z.object({ layers: layerCount }) }, {})).toThrow(
      new Error("Tower: layers: expected number, but it is missing"),
    );
  });

  it("treats undefined as absent, and null too where the format says so", () => {
    expect(parse({ heads: undefined, new_trick: undefined })).toMatchObject({ heads: 2 });
    expect(() => parse({ heads: null })).toThrow("heads: expected number, got null");
    expect(
      parseConfig({ ...format, nullIsAbsent: true }, { heads: null, conv_in_kernel: null }),
    ).toMatchObject({
      heads: 2,
    });
  });

  it("keeps its message short, whatever came", () => {
    const circular: Record<string, unknown> = {};
    circular["self"] = circular;
    const many = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`key${i}`, i + 1]));
    for (const config of [
      { a: circular },
      { b: "x".repeat(1e6) },
      { [`k\n${"k".repeat(1e6)}`]: 1 },
      many,
      { c: 1n },
    ]) {
      let message = "";
      try {
        parse(config);
      } catch (error) {
        message = (error as Error).message;
      }
      expect(message).toMatch(/^Tower: .*unknown key/);
      expect(message).not.toContain("\n");
      expect(message.length).toBeLessThan(1500);
    }
    expect(() => parse(many)).toThrow("and 4992 more");
  });

  it("refuses unknown options, and acceptKeys that is no list of names", () => {
    expect(() => parseConfig(format, {}, { acceptKey: ["x"] } as never)).toThrow(
      'Tower: unknown option "acceptKey"; expected some of file, acceptKeys, at',
    );
    for (const acceptKeys of ["name", [1], {}]) {
      expect(() => parse({}, acceptKeys as string[])).toThrow("Tower: acceptKeys must be an array of names");
    }
  });
});
