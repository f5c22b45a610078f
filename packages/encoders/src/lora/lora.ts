import { Linear, type Module, type Parameter, Random, type StateDict } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";

/** Which biases train beside the low-rank factors; peft's values. */
export type LoRABias = "none" | "all" | "lora_only";

/** Settings of {@link addLoRA}; names and meaning of peft's `LoraConfig`. */
export interface LoRAOptions {
  /** Rank of the update. Default 16. */
  rank?: number;
  /** The update is scaled by alpha / rank. Default 16. */
  alpha?: number;
  /** Dropout on the low-rank branch's input while training, in [0, 1). Default 0.1. */
  dropout?: number;
  /** A Linear is adapted where its path is, or ends in, one of these. Default every Linear of CLIP's layers. */
  targetModules?: readonly string[];
  /** `none`, those of the adapted layers (`lora_only`), or `all` of the part that is adapted. Default `none`. */
  bias?: LoRABias;
  /** Adapt only the part at this path, for example `vision_model`. Default: all of the model. */
  within?: string;
  /** Source of the first values and of the dropout masks. Default `new Random(0)`. */
  random?: Random;
}

const TARGETS = ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"];
/** peft puts this before every path. */
const PEFT_PREFIX = "base_model.model.";

/**
 * A Linear with a low-rank branch (Hu et al. 2022, equation 3): `y = x W^T + b + (alpha / rank) dropout(x) A^T B^T`.
 * Weight and bias are those of the layer it replaces, under the same names; the factors are `lora_A.weight`
 * `[rank, in]` and `lora_B.weight` `[out, rank]`.
 */
export class LoRALinear extends Linear {
  readonly lora_A: Linear;
  readonly lora_B: Linear;
  // Private fields, so that they are not walked as parts of the model.
  readonly #base: Linear;
  readonly #random: Random;

  /**
   * @param base the layer to adapt
   * @param rank rank of the update
   * @param scaling factor on the branch
   * @param dropout probability to drop an input of the branch while training
   * @param random source of the dropout masks
   */
  constructor(
    base: Linear,
    rank: number,
    readonly scaling: number,
    readonly dropout: number,
    random: Random,
  ) {
    super(base.inFeatures, base.outFeatures, { bias: base.bias !== undefined });
    Object.assign(this, { weight: base.weight, bias: base.bias, training: base.training });
    this.lora_A = new Linear(base.inFeatures, rank, { bias: false });
    this.lora_B = new Linear(rank, base.outFeatures, { bias: false });
    this.lora_B.weight.options.init = undefined;
    this.#base = base;
    this.#random = random;
  }

  /** The layer that this one replaces. */
  get base(): Linear {
    return this.#base;
  }

  override forward<T extends tf.Tensor>(x: T, residual?: tf.Tensor): T {
    return tf.tidy(() => {
      const low = this.lora_A.forward(this.drop(x));
      const scaled = this.scaling === 1 ? low : (tf.mul(low, this.scaling) as T);
      return this.lora_B.forward(scaled, super.forward(x, residual));
    });
  }

  /** `scaling * B A`, `[out, in]`, the update that merging adds to the weight. The caller disposes it. */
  update(): tf.Tensor2D {
    return tf.tidy(() => {
      const product = tf.matMul(this.lora_B.weight.value as tf.Tensor2D, this.lora_A.weight.value);
      return tf.mul(product, this.scaling);
    });
  }

  private drop<T extends tf.Tensor>(x: T): T {
    if (!this.training || this.dropout === 0) return x;
    const kept = tf.greaterEqual(this.#random.uniform(x.shape), this.dropout);
    return tf.mul(x, tf.mul(tf.cast(kept, "float32"), 1 / (1 - this.dropout))) as T;
  }
}

/** A model's adapters, from {@link addLoRA} until {@link LoRA.merge} or {@link LoRA.remove}. */
export class LoRA {
  private active = true;

  /** @internal use {@link addLoRA} */
  constructor(
    /** The adapted layers by path. */
    readonly layers: ReadonlyMap<string, LoRALinear>,
    /** The source of the dropout masks: setting its state back replays them. */
    readonly random: Random,
    private readonly model: Module,
    private readonly biases: ReadonlyMap<string, Parameter>,
    private readonly wasTrainable: ReadonlyMap<Parameter, boolean>,
  ) {}

  /** What trains: the factors, and the biases that were asked for. */
  parameters(): Parameter[] {
    const factors = Array.from(this.layers.values(), (layer) => [layer.lora_A.weight, layer.lora_B.weight]);
    return [...factors.flat(), ...this.biases.values()];
  }

  /**
   * The adapters alone, under peft's names (`base_model.model.<path>.lora_A.weight`); trained biases of adapted
   * layers as `<path>.base_layer.bias`, others under their own.
   *
   * @returns fresh tensors; the caller disposes them
   */
  stateDict(): StateDict {
    return Object.fromEntries(
      Array.from(this.named(), ([name, parameter]) => [PEFT_PREFIX + name, parameter.toState()]),
    );
  }

  /**
   * Copies in what {@link stateDict} gave, for example from a checkpoint, or from peft's adapter_model.safetensors.
   *
   * @throws if a tensor is missing, unexpected or has another shape; nothing is changed then
   */
  loadStateDict(dict: StateDict): this {
    const known = new Map(this.named());
    for (const [name, parameter] of known) {
      const tensor = dict[PEFT_PREFIX + name];
      if (!tensor) throw new Error(`LoRA.loadStateDict: "${PEFT_PREFIX}${name}" is missing`);
      if (String(tensor.shape) !== String(parameter.stateShape)) {
        throw new Error(
          `LoRA.loadStateDict: "${PEFT_PREFIX}${name}" has shape [${tensor.shape}], expected [${parameter.stateShape}]`,
        );
      }
    }
    const unexpected = Object.keys(dict).find((name) => !known.has(name.slice(PEFT_PREFIX.length)));
    if (unexpected !== undefined) throw new Error(`LoRA.loadStateDict: unexpected "${unexpected}"`);
    for (const [name, parameter] of known) parameter.value.assign(dict[PEFT_PREFIX + name]!);
    return this;
  }

  /**
   * Adds every update to its weight (`W + (alpha / rank) B A`) and puts the plain layers back, so that the model is an
   * ordinary one again; which parameters train is as before {@link addLoRA}. The adapters are disposed.
   */
  merge(): void {
    this.restore("merge", (layer) => {
      const merged = tf.tidy(() => tf.add(layer.weight.value, layer.update()));
      layer.weight.value.assign(merged);
      merged.dispose();
    });
  }

  /** Puts the plain layers back without the updates; trained biases keep their values. The adapters are disposed. */
  remove(): void {
    this.restore("remove", () => {});
  }

  private restore(what: string, finish: (layer: LoRALinear) => void): void {
    if (!this.active) throw new Error(`LoRA.${what}: the adapters were merged or removed before`);
    this.active = false;
    for (const [path, layer] of this.layers) {
      finish(layer);
      layer.lora_A.dispose();
      layer.lora_B.dispose();
      layer.base.training = layer.training;
      replaceChild(this.model, path, layer.base);
    }
    for (const [parameter, trainable] of this.wasTrainable) parameter.trainable = trainable;
  }

  private *named(): Iterable<[string, Parameter]> {
    for (const [path, layer] of this.layers) {
      yield [`${path}.lora_A.weight`, layer.lora_A.weight];
      yield [`${path}.lora_B.weight`, layer.lora_B.weight];
    }
    for (const [path, parameter] of this.biases) {
      const owner = path.slice(0, -".bias".length);
      yield [this.layers.has(owner) ? `${owner}.base_layer.bias` : path, parameter];
    }
  }
}

/**
 * Adds low-rank adapters to a model's Linear layers (LoRA, Hu et al. 2022) with peft's semantics, in place: the model is
 * frozen, `A` starts as a Linear's weight does (Kaiming-uniform with a = sqrt(5)) and `B` at zero, so the model computes
 * what it did before until a step is taken. Dropout is active after `model.train()`.
 *
 * @param model any model with initialised or loaded weights; DCR's stage 2 adapts the CLIP model
 * @param options see {@link LoRAOptions}; the defaults are those of DCR's stage 2, but for bias
 * @returns the adapters: what to train, checkpoint and merge
 * @throws if no layer matches, a layer is adapted already, an option is out of range, or a bias to train is stored as float16;
 *   nothing is changed then
 *
 * @example
 * const lora = addLoRA(clip, { rank: 16, alpha: 16, bias: "lora_only", random: new Random(1) });
 * const optimizer = new AdamW(lora.parameters(), { learningRate: 1e-5 });
 * // ... train ...
 * lora.merge();
 * await clip.savePretrained("enhanced");
 */
export function addLoRA(model: Module, options: LoRAOptions = {}): LoRA {
  const {
    rank = 16,
    alpha = 16,
    dropout = 0.1,
    targetModules = TARGETS,
    bias = "none",
    within = "",
  } = options;
  const { random = new Random(0) } = options;
  check(Number.isInteger(rank) && rank >= 1, "rank must be a positive integer", rank);
  check(alpha > 0, "alpha must be positive", alpha);
  check(dropout >= 0 && dropout < 1, "dropout must be in [0, 1)", dropout);
  check(["none", "all", "lora_only"].includes(bias), 'bias must be "none", "all" or "lora_only"', bias);

  const inside = (path: string) => within === "" || path === within || path.startsWith(`${within}.`);
  const found = Array.from(linearLayers(model)).filter(
    ([path]) =>
      inside(path) && targetModules.some((target) => path === target || path.endsWith(`.${target}`)),
  );
  if (found.length === 0) {
    const where = within === "" ? "" : ` within "${within}"`;
    const names = new Set(Array.from(linearLayers(model), ([path]) => path.split(".").at(-1)));
    throw new Error(
      `addLoRA: targetModules [${targetModules.join(", ")}] match no Linear${where}; the model's are named ` +
        `${Array.from(names).join(", ") || "(none)"}`,
    );
  }
  const adapted = found.find(([, layer]) => layer instanceof LoRALinear);
  if (adapted) throw new Error(`addLoRA: ${adapted[0]} is adapted already; merge or remove that first`);

  const paths = new Set(found.map(([path]) => path));
  const biases = new Map(
    Array.from(model.namedParameters()).filter(([name]) => {
      if (bias === "none" || !name.endsWith("bias")) return false;
      return bias === "all" ? inside(name) : paths.has(name.slice(0, -".bias".length));
    }),
  );
  for (const [name, { storage }] of biases) {
    check(storage === "float32", `bias must be "none" where ${name} is stored as float16`, bias);
  }

  const wasTrainable = new Map(model.parameters().map((parameter) => [parameter, parameter.trainable]));
  model.requiresGrad(false);
  const layers = new Map<string, LoRALinear>();
  const masks = random.fork("dropout");
  for (const [path, base] of found) {
    const layer = new LoRALinear(base, rank, alpha / rank, dropout, masks);
    layer.lora_A.initialize(random.fork(`${path}.lora_A`));
    layer.lora_B.initialize(random.fork(`${path}.lora_B`));
    replaceChild(model, path, layer);
    layers.set(path, layer);
  }
  for (const parameter of biases.values()) parameter.trainable = true;
  return new LoRA(layers, masks, model, biases, wasTrainable);
}

function check(holds: boolean, expected: string, got: unknown): void {
  if (!holds) throw new Error(`addLoRA: ${expected}, got ${JSON.stringify(got)}`);
}

function* linearLayers(module: Module, prefix = ""): Iterable<[string, Linear]> {
  for (const [name, child] of module.children()) {
    if (child instanceof Linear) yield [prefix + name, child];
    else yield* linearLayers(child, `${prefix}${name}.`);
  }
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
