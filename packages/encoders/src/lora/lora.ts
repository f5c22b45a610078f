import { type Module, type Parameter, type Random, type StateDict, storageOf } from "@dcr-js/tensor";
import { LoRALinear } from "./lora-linear.js";
import { type CheckedLoRAOptions, checkLoRAOptions, type LoRAOptions } from "./lora-options.js";
import { namesOf, PEFT_PREFIX, type PeftNames, writtenNames } from "./peft-names.js";
import { namedModules, type OptionsSource, selectTargets, type Target } from "./target-modules.js";

/** The adapters that {@link addLoRA} attached to a model. */
interface Adapted {
  model: Module;
  layers: ReadonlyMap<string, LoRALinear>;
  /** Biases that train, by their path before the adapters were put in. */
  biases: ReadonlyMap<string, Parameter>;
  wasTrainable: ReadonlyMap<Parameter, boolean>;
  options: CheckedLoRAOptions;
  targets: readonly Target[];
  masks: Random;
}

/** A model's adapters, from {@link addLoRA} until {@link LoRA.merge} or {@link LoRA.remove}. */
export class LoRA {
  #active = true;
  readonly #adapted: Adapted;

  /** @internal use {@link addLoRA} */
  constructor(adapted: Adapted) {
    this.#adapted = adapted;
  }

  /** The adapted layers by path. */
  get layers(): ReadonlyMap<string, LoRALinear> {
    return this.#adapted.layers;
  }

  /** The source of the dropout masks: setting its state back replays them. */
  get random(): Random {
    return this.#adapted.masks;
  }

  /** The options that the adapters were made by, with their defaults. */
  get options(): CheckedLoRAOptions {
    return this.#adapted.options;
  }

  /** The adapted layers' paths, with the rank and alpha of each. */
  get targets(): readonly Pick<Target, "path" | "rank" | "alpha">[] {
    return this.#adapted.targets;
  }

  /** The parameters that train: the factors, and the biases that were asked for. */
  parameters(): Parameter[] {
    const factors = Array.from(this.layers.values(), (layer) => [layer.lora_A.weight, layer.lora_B.weight]);
    return [...factors.flat(), ...this.#adapted.biases.values()];
  }

  /**
   * The adapters only, under peft's names (`base_model.model.<path>.lora_A.weight`); trained biases of adapted
   * layers as `<path>.base_layer.bias`, others under their own. Of a class that is a tower alone, such as `CLIPVisionModel`, paths lack
   * `vision_model.` or `text_model.`, as they do in transformers 5.
   *
   * @returns fresh tensors; the caller disposes them
   * @throws after {@link merge} or {@link remove}
   */
  stateDict(): StateDict {
    this.checkActive("stateDict");
    const named = this.named(this.fileNames);
    return Object.fromEntries(Array.from(named, ([name, parameter]) => [name, parameter.toState()]));
  }

  /** @internal how {@link stateDict} and `saveAdapter` write paths */
  get fileNames(): PeftNames {
    return writtenNames(this.#adapted.model);
  }

  /**
   * Copies in what {@link stateDict} gave, for example from a checkpoint, or from peft's adapter_model.safetensors; a tower's names may
   * also be those of transformers 4. While the adapters are merged, the weights keep the update that was merged.
   *
   * @throws if a tensor is missing, unexpected, has another shape, or is not float32 in type and storage; nothing is changed then; after
   *   {@link merge} or {@link remove}
   */
  loadStateDict(dict: StateDict): this {
    this.checkActive("loadStateDict");
    const known = new Map(this.named(namesOf(this.#adapted.model, Object.keys(dict))));
    for (const [name, parameter] of known) {
      const tensor = dict[name];
      if (!tensor) throw missing(name, this.options.bias);
      const fault = (text: string) => new Error(`LoRA.loadStateDict: "${name}" ${text}`);
      if (tensor.isDisposed) throw fault("was disposed");
      if (String(tensor.shape) !== String(parameter.stateShape)) {
        throw fault(`has shape [${tensor.shape}], expected [${parameter.stateShape}]`);
      }
      if (tensor.dtype !== "float32") throw fault(`must be float32, got ${tensor.dtype}`);
      if (parameter.trainable && storageOf(tensor) === "float16") {
        throw fault('is stored as float16, where steps would be lost; store it as "float32"');
      }
    }
    const unexpected = Object.keys(dict).find((name) => !known.has(name));
    if (unexpected !== undefined) {
      const hint = unexpected.endsWith("bias") ? `; bias is "${this.options.bias}"` : "";
      throw new Error(`LoRA.loadStateDict: unexpected "${unexpected}"${hint}`);
    }
    for (const [name, parameter] of known) parameter.assign(dict[name]!);
    return this;
  }

  /**
   * Adds every update to its weight (`W + scaling B A`), while the adapters stay: the model computes the same with plain
   * products (peft's `merge_adapter`). Train on after {@link unmergeAdapter} only. A weight that was stored as float16 is float32 then,
   * also after {@link unmergeAdapter}: an update is often smaller than float16's steps.
   */
  mergeAdapter(): void {
    this.checkActive("mergeAdapter");
    for (const layer of this.layers.values()) layer.setMerged(true);
  }

  /**
   * Takes the updates out of the weights again, which then are as before to rounding, also where the factors changed since (peft's
   * `unmerge_adapter`).
   */
  unmergeAdapter(): void {
    this.checkActive("unmergeAdapter");
    for (const layer of this.layers.values()) layer.setMerged(false);
  }

  /**
   * Adds every update to its weight and puts the plain layers back, so that the model is an ordinary one again (peft's
   * `merge_and_unload`); which parameters train is as before {@link addLoRA}. The adapters are disposed. Of a model that was stored
   * as float16, the merged weights and the biases that trained are float32 then; its `storeAs("float16")` rounds them.
   */
  merge(): void {
    this.restore("merge", true);
  }

  /**
   * Puts the plain layers back without the updates (peft's `unload`); trained biases keep their values, as float32. The adapters are
   * disposed.
   */
  remove(): void {
    this.restore("remove", false);
  }

  private restore(what: string, merged: boolean): void {
    this.checkActive(what);
    this.#active = false;
    const { model, layers, wasTrainable } = this.#adapted;
    for (const [path, layer] of layers) {
      layer.setMerged(merged);
      layer.disposeFactors();
      layer.base.training = layer.training;
      replaceChild(model, path, layer.base);
    }
    for (const [parameter, trainable] of wasTrainable) parameter.trainable = trainable;
  }

  private checkActive(what: string): void {
    if (!this.#active) throw new Error(`LoRA.${what}: the adapters were merged or removed before`);
  }

  private *named({ inFile }: PeftNames): Iterable<[string, Parameter]> {
    const full = (path: string) => PEFT_PREFIX + inFile(path);
    for (const [path, layer] of this.layers) {
      yield [`${full(path)}.lora_A.weight`, layer.lora_A.weight];
      yield [`${full(path)}.lora_B.weight`, layer.lora_B.weight];
    }
    for (const [path, parameter] of this.#adapted.biases) {
      const owner = path.slice(0, -".bias".length);
      yield [this.layers.has(owner) ? `${full(owner)}.base_layer.bias` : full(path), parameter];
    }
  }
}

function missing(name: string, bias: string): Error {
  const why = name.endsWith("bias")
    ? `; the adapters have bias "${bias}", but the file was written with bias "none", or by a peft that leaves the biases of ` +
      'adapted layers out: use bias "none" to load only the factors'
    : "";
  return new Error(`LoRA.loadStateDict: "${name}" is missing${why}`);
}

/**
 * Adds low-rank adapters to a model's Linear layers (LoRA, Hu et al. 2022) with peft's semantics, in place: the model is
 * frozen, `A` starts as a Linear's weight does (Kaiming-uniform with a = sqrt(5)) and `B` at zero, so the model computes
 * what it did before until a step is taken. Dropout is active after `model.train()`.
 *
 * Weights stored as float16 stay so. The factors are float32, and a bias that trains is made float32.
 *
 * @param model any model with initialised or loaded weights; DCR's stage 2 adapts the CLIP model
 * @param options see {@link LoRAOptions}; the defaults are those of DCR's stage 2, but for bias
 * @returns the adapters: what to train, checkpoint and merge
 * @throws if no layer matches, the model has adapters already, or an option is unknown or out of range, or selects nothing; nothing is
 *   changed then
 *
 * @example
 * const lora = addLoRA(clip, { rank: 16, alpha: 16, bias: "lora_only", random: new Random(1) });
 * const optimizer = new AdamW(lora.parameters(), { learningRate: 1e-5 });
 * // ... train ...
 * lora.merge();
 * await clip.savePretrained("enhanced");
 */
export function addLoRA(model: Module, options: LoRAOptions = {}): LoRA {
  return attachLoRA(model, checkLoRAOptions(options));
}

/** Where the settings of {@link attachLoRA} come from. */
interface AdapterSource extends OptionsSource {
  /** Biases of layers that are not adapted here, which train with bias `"lora_only"` too. Default none. */
  biases?: ReadonlySet<string>;
}

/** {@link addLoRA} with options that were checked, and that may be a file's. */
export function attachLoRA(model: Module, checked: CheckedLoRAOptions, source: AdapterSource = {}): LoRA {
  const { dropout, useRslora, random } = checked;
  // Of two sets of adapters, the first that is taken out would put back what trained before both.
  for (const [path, module] of namedModules(model)) {
    if (module.isAdapter) throw new Error(`addLoRA: ${path} is adapted already; merge or remove that first`);
  }
  const { biases: others, ...options } = source;
  const targets = selectTargets(model, checked, options);
  const biases = trainedBiases(model, checked, new Set(targets.map(({ path }) => `${path}.bias`)), others);
  const wasTrainable = new Map(model.parameters().map((parameter) => [parameter, parameter.trainable]));
  model.requiresGrad(false);
  const layers = new Map<string, LoRALinear>();
  const masks = random.fork("dropout");
  for (const { path, layer: base, rank, alpha } of targets) {
    const scaling = alpha / (useRslora ? Math.sqrt(rank) : rank);
    const layer = new LoRALinear(base, { rank, scaling, dropout, random: masks });
    layer.gradientCheckpointing = base.gradientCheckpointing;
    layer.lora_A.initialize(random.fork(`${path}.lora_A`));
    layer.lora_B.initialize(random.fork(`${path}.lora_B`));
    replaceChild(model, path, layer);
    layers.set(path, layer);
  }
  for (const parameter of biases.values()) {
    if (parameter.storage === "float16") parameter.storeAs("float32");
    parameter.trainable = true;
  }
  return new LoRA({ model, layers, biases, wasTrainable, options: checked, targets, masks });
}

function trainedBiases(
  model: Module,
  { bias, within }: CheckedLoRAOptions,
  ofTargets: ReadonlySet<string>,
  others: ReadonlySet<string> = new Set(),
): Map<string, Parameter> {
  return new Map(
    Array.from(model.namedParameters()).filter(([name]) => {
      if (bias === "none" || !name.endsWith("bias")) return false;
      if (bias === "all") return within === "" || name.startsWith(`${within}.`);
      return ofTargets.has(name) || others.has(name);
    }),
  );
}

/** Sets the property, or the element of an array, that a path names. */
function replaceChild(model: Module, path: string, child: Module): void {
  const keys = path.split(".");
  const last = keys.pop()!;
  const owner = keys.reduce(
    (value, key) => value[key] as Record<string, unknown>,
    model as never as Record<string, unknown>,
  );
  owner[last] = child;
}
