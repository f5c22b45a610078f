import { Random } from "@dcr-js/tensor";
import { describe, expect, it } from "vitest";
import { checkLoRAOptions, DEFAULT_TARGETS, type LoRAOptions } from "./lora-options.js";

describe("checkLoRAOptions", () => {
  it("has the defaults of DCR's second stage, also where options are undefined", () => {
    const random = new Random(1);
    expect(checkLoRAOptions({ random, rank: undefined, targetModules: undefined })).toEqual({
      rank: 16,
      alpha: 16,
      dropout: 0.1,
      useRslora: false,
      targetModules: DEFAULT_TARGETS,
      bias: "none",
      within: "",
      random,
      rankPattern: {},
      alphaPattern: {},
    });
  });

  it("has its defaults where none are given", () => {
    const { random, ...rest } = checkLoRAOptions({});
    expect(random.state).toEqual(new Random(0).state);
    expect(rest).toMatchObject({ rank: 16, alpha: 16, dropout: 0.1 });
    expect(DEFAULT_TARGETS).toEqual(["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"]);
  });

  // [name, the outermost values that are taken, values just beyond them]
  it.each<[string, unknown[], unknown[]]>([
    ["rank", [1, 65_536], [0, 65_537, 1.5, Number.NaN, "8"]],
    ["alpha", [1e-9, 1e6], [0, -1, Number.POSITIVE_INFINITY]],
    ["dropout", [0, 0.999], [-1e-9, 1, Number.NaN]],
    ["useRslora", [true, false], [0, "yes"]],
    ["bias", ["none", "all", "lora_only"], ["lora", true]],
    ["targetModules", ["all-linear", ".*", ["fc1"]], ["", [], [""], [3], 3, {}]],
    ["excludeModules", ["x", ["fc1"]], ["", [], [""], [3], 3]],
    ["layersToTransform", [0, 5, [0, 1], []], [-1, 0.5, [0, -1], "1"]],
    ["rankPattern", [{}, { a: 1, b: 65_536 }], [{ a: 0 }, { a: 65_537 }, { a: 1.5 }, [1], 3, "a"]],
    ["alphaPattern", [{}, { a: 1e-9 }], [{ a: 0 }, { a: "1" }, [1], "a"]],
    ["within", ["", "vision_model"], [3, ["vision_model"]]],
    ["random", [new Random(1)], [1, {}]],
  ])("takes %s only within its bounds", (name, inside, outside) => {
    for (const value of inside)
      expect(checkLoRAOptions({ [name]: value }), String(value)).toHaveProperty(name, value);
    for (const value of outside)
      expect(() => checkLoRAOptions({ [name]: value }), String(value)).toThrow(`addLoRA: ${name}`);
  });

  it("takes layersPattern only with layersToTransform, and names what is no options object", () => {
    for (const layersPattern of ["layers", ["layers", "blocks"]])
      expect(checkLoRAOptions({ layersToTransform: 1, layersPattern })).toMatchObject({ layersPattern });
    for (const layersPattern of ["", [], [1]])
      expect(() => checkLoRAOptions({ layersToTransform: 1, layersPattern } as never)).toThrow(
        "addLoRA: layersPattern must be a string or a list of strings",
      );
    for (const wrong of [null, 3, "rank"])
      expect(() => checkLoRAOptions(wrong as never)).toThrow("addLoRA: options must be an object");
    // An undefined option is not given, also under another library's name.
    expect(() => checkLoRAOptions({ r: undefined, use_dora: undefined } as never)).toThrow("unknown option");
  });

  it.each([
    "modules_to_save",
    "use_dora",
    "init_lora_weights",
    "fan_in_fan_out",
    "layer_replication",
    "lora_bias",
    "target_parameters",
    "trainable_token_indices",
    "use_qalora",
    "megatron_config",
    "loftq_config",
    "eva_config",
    "corda_config",
  ])("refuses peft's %s, which it does not have", (name) => {
    expect(() => checkLoRAOptions({ [name]: 1 } as LoRAOptions)).toThrow(`"${name}" is not supported, got 1`);
  });

  // peft#2733, sglang#40835: spellings of peft's that a library drops in silence change what is trained.
  it.each([
    [{ r: 4 }, 'addLoRA: peft\'s "r" is "rank" here'],
    [{ lora_alpha: 6 }, 'addLoRA: peft\'s "lora_alpha" is "alpha" here'],
    [{ lora_dropout: 0 }, 'addLoRA: peft\'s "lora_dropout" is "dropout" here'],
    [{ use_rslora: true }, 'addLoRA: peft\'s "use_rslora" is "useRslora" here'],
    [{ target_modules: ["q_proj"] }, 'addLoRA: peft\'s "target_modules" is "targetModules" here'],
    [{ modules_to_save: ["head"] }, 'addLoRA: peft\'s "modules_to_save" is not supported, got an array of 1'],
    [{ useDora: true }, 'addLoRA: peft\'s "use_dora" is not supported, got true'],
    [{ init_lora_weights: "pissa" }, 'addLoRA: peft\'s "init_lora_weights" is not supported, got "pissa"'],
    [{ loraAlpha: 6 }, /^addLoRA: unknown option "loraAlpha"; expected some of rank, alpha, /],
    [{ rank: 2.5 }, "addLoRA: rank must be an integer, at least 1 and at most 65536, got 2.5"],
    [{ alpha: Number.NaN }, "addLoRA: alpha must be a finite number, greater than 0, got NaN"],
    [{ dropout: 1 }, "addLoRA: dropout must be a finite number, at least 0 and less than 1, got 1"],
    [{ useRslora: 1 }, "addLoRA: useRslora must be a boolean, got 1"],
    [
      { targetModules: [] },
      "addLoRA: targetModules must be a string or a list of strings, not empty, got an array of 0",
    ],
    [{ targetModules: [3] }, /targetModules must be a string or a list of strings/],
    [
      { excludeModules: "" },
      'addLoRA: excludeModules must be a string or a list of strings, not empty, got ""',
    ],
    [{ targetModules: ".*", layersToTransform: 1 }, /layersToTransform needs a list of targetModules/],
    [{ layersToTransform: [-1] }, "addLoRA: layersToTransform must be an integer, at least 0, got -1"],
    [{ layersPattern: "layers" }, "addLoRA: layersPattern needs layersToTransform"],
    [{ rankPattern: { fc1: 0 } }, /rankPattern "fc1" must be an integer, at least 1 .*, got 0/],
    [
      { alphaPattern: [2] },
      "addLoRA: alphaPattern must be an object of numbers by pattern, got an array of 1",
    ],
    [{ bias: "some" }, 'addLoRA: bias must be one of none, all, lora_only, got "some"'],
    [{ within: 3 }, "addLoRA: within must be a path, got 3"],
    [{ random: {} }, "addLoRA: random must be a Random, got a Object"],
  ])("refuses %j", (options, message) => {
    expect(() => checkLoRAOptions(options as LoRAOptions)).toThrow(message);
  });
});
