import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Conv2d, initialize, Linear, Module, Random } from "@dcr-js/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import { CLIPModel } from "../clip/clip-model.js";
import { SiglipModel } from "../siglip/siglip-model.js";
import { addLoRA } from "./lora.js";
import type { LoRAOptions } from "./lora-options.js";
import { peftNames } from "./lora-options.js";

const fixtures = fileURLToPath(new URL("../../fixtures", import.meta.url));
const golden = JSON.parse(await readFile(join(fixtures, "lora/targets.json"), "utf8")) as {
  model: "clip-quick-gelu" | "siglip";
  settings: Record<string, unknown>;
  adapted: Record<string, [number, number]>;
}[];

class Small extends Module {
  readonly blocks = [new Linear(4, 4), new Linear(4, 4)];
  readonly q_proj = new Linear(4, 3);
  readonly proj_in = new Conv2d(3, 4, 1);
}

beforeAll(() => initialize({ device: "cpu" }));

describe("selectTargets beside peft", () => {
  it.each(golden.map((one) => [JSON.stringify(one.settings), one] as const))(
    "adapts the layers that peft does, by rank and scaling: %s",
    async (_, { model: name, settings, adapted }) => {
      const type = name === "siglip" ? SiglipModel : CLIPModel;
      const model = await type.fromPretrained(join(fixtures, name));
      // peft's own defaults are other numbers.
      const options: LoRAOptions & Record<string, unknown> = { rank: 8, alpha: 8 };
      for (const [key, value] of Object.entries(settings)) {
        options[key in peftNames ? peftNames[key as keyof typeof peftNames] : key] = value;
      }
      const lora = addLoRA(model, options);
      const layers = Array.from(lora.layers, ([path, layer]) => [
        path,
        [layer.lora_A.weight.shape[0], layer.scaling],
      ]);
      expect(Object.fromEntries(layers)).toEqual(adapted);
      lora.remove();
      model.dispose();
    },
  );
});

describe("selectTargets", () => {
  const refused = (options: LoRAOptions) => {
    const model = new Small().initialize(new Random(1));
    try {
      addLoRA(model, options);
    } catch (error) {
      return (error as Error).message;
    } finally {
      model.dispose();
    }
    return "nothing was refused";
  };

  it.each<[LoRAOptions, string]>([
    [
      { targetModules: ["to_query"] },
      "addLoRA: targetModules [to_query] match no Linear; the model's are named q_proj, 0, 1",
    ],
    [
      { targetModules: "vision.*" },
      'addLoRA: targetModules "vision.*" match no Linear; the model\'s are named q_proj, 0, 1',
    ],
    [
      { targetModules: ["q_porj", "blocks.0", "qproj"] },
      'addLoRA: targetModules "qproj" matches no Linear; did you mean "q_proj"?',
    ],
    [
      { targetModules: ["v_proj", "blocks.0"] },
      'addLoRA: targetModules "v_proj" matches no Linear; did you mean "q_proj"?',
    ],
    [
      { targetModules: ["proj_in"] },
      "addLoRA: targetModules must select Linear layers, got proj_in, which is a Conv2d",
    ],
    [
      { targetModules: ["0", "1"], layersToTransform: 7 },
      "addLoRA: targetModules [0, 1] match no Linear in layers 7; the model's are named q_proj, 0, 1",
    ],
    [
      { targetModules: ["q_proj"], within: "elsewhere" },
      'addLoRA: targetModules [q_proj] match no Linear within "elsewhere"; the model\'s are named (none)',
    ],
    [
      { targetModules: ["q_proj"], rankPattern: { fc1: 3 } },
      'addLoRA: rankPattern "fc1" matches no adapted layer; they are named q_proj',
    ],
    [
      { targetModules: ["0"], layersToTransform: [0, 9], layersPattern: "blocks" },
      "addLoRA: targetModules [0] match no Linear in layers 0, 9; the model's are named q_proj, 0, 1",
    ],
    [
      { targetModules: ["q_proj"], excludeModules: ["blocks"] },
      'addLoRA: excludeModules ["blocks"] excludes no Linear; a list holds ends of the layers\' paths, and a string is a regular expression for whole paths',
    ],
  ])("refuses %j", (options, message) => {
    expect(refused(options)).toBe(message);
  });

  it("refuses numbers of layers that select nothing", async () => {
    const model = await CLIPModel.fromPretrained(join(fixtures, "clip-quick-gelu"));
    expect(() => addLoRA(model, { targetModules: ["q_proj"], layersToTransform: [0, 9] })).toThrow(
      "addLoRA: layersToTransform 9 selects no layer; of those given 0 did",
    );
    model.dispose();
  });

  // peft compares in lower case (tuners_utils.py, _maybe_include_all_linear_layers); 26 is its count for this model.
  it.each(["all-linear", "All-Linear"])("takes %s for all Linear layers", async (targetModules) => {
    const model = await CLIPModel.fromPretrained(join(fixtures, "clip-quick-gelu"));
    const lora = addLoRA(model, { targetModules });
    const all = golden.find(({ settings }) => settings["target_modules"] === "all-linear")!;
    expect(Array.from(lora.layers.keys()).sort()).toEqual(Object.keys(all.adapted).sort());
    expect(lora.layers.size).toBe(26);
    expect(lora.options.targetModules).toBe("all-linear");
    lora.remove();
    model.dispose();
  });

  it("takes a string for an expression, also where a layer's name is like one of its letters", () => {
    class Letters extends Module {
      readonly q = new Linear(4, 4);
      readonly vv = new Linear(4, 4);
    }
    const model = new Letters().initialize(new Random(1));
    const lora = addLoRA(model, { targetModules: "[q]" });
    expect(Array.from(lora.layers.keys())).toEqual(["q"]);
    lora.remove();
    model.dispose();
  });

  it("takes names at most one letter off for slips, and others for another model's", () => {
    const model = new Small().initialize(new Random(1));
    for (const slip of ["q_pro", "q_projj", "p_proj", "Q-Proj", "QPROJ"])
      expect(() => addLoRA(model, { targetModules: ["blocks.0", slip] }), slip).toThrow(
        `targetModules "${slip}" matches no Linear; did you mean "q_proj"?`,
      );
    for (const other of ["q_pr", "qproject", "o_prom"])
      addLoRA(model, { targetModules: ["blocks.0", other] }).remove();
    model.dispose();
  });

  it("lets entries for another kind of model match nothing", () => {
    const model = new Small().initialize(new Random(1));
    const lora = addLoRA(model, { targetModules: ["q_proj", "to_q", "to_v"] });
    expect(Array.from(lora.layers.keys())).toEqual(["q_proj"]);
    lora.remove();
    model.dispose();
  });
});
