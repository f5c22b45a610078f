import { Conv2d, Embedding, Linear, type Module } from "@dcr-js/tensor";
import { type CheckedLoRAOptions, DEFAULT_TARGETS } from "./lora-options.js";
import { firstGroup, fullMatch, patternTest } from "./pattern.js";

/** A layer to adapt, with the rank and alpha that the patterns give it. */
export interface Target {
  path: string;
  layer: Linear;
  rank: number;
  alpha: number;
}

/** Where options come from. */
export interface OptionsSource {
  /** A module's path as the options write it. Default as it is. */
  pathOf?: (path: string) => string;
  /**
   * Whether they are a file's, which holds what selects nothing: settings for other parts of a model, and those that peft's own
   * check let pass. Default false: an option that selects nothing is an error.
   */
  isFile?: boolean;
}

/**
 * The Linear layers that options select, by peft's rules (`check_target_module_exists`, `get_pattern_key`).
 *
 * @throws if nothing is selected, a target is a layer of a kind that has no adapter here, an entry is a slip of a name that
 *   exists, or an exclusion, a layer's number or a pattern selects nothing
 */
export function selectTargets(
  model: Module,
  options: CheckedLoRAOptions,
  { pathOf = (path) => path, isFile = false }: OptionsSource = {},
): Target[] {
  const { targetModules, within, rank, alpha, rankPattern, alphaPattern } = options;
  const modules = Array.from(namedModules(model))
    .filter(([path]) => within === "" || path === within || path.startsWith(`${within}.`))
    .map(([path, module]) => ({ path, written: pathOf(path), module }));
  const isTarget = targetTest(options);
  const isExcluded = exclusionTest(options);
  const matched = modules.filter(({ written }) => isTarget(written) && !isExcluded(written));
  const other = matched.find(({ module }) => module instanceof Conv2d || module instanceof Embedding);
  if (other && targetModules !== "all-linear") {
    throw new Error(
      `addLoRA: targetModules must select Linear layers, got ${other.written}, which is a ${other.module.constructor.name}`,
    );
  }
  const found = matched.flatMap(({ path, written, module }) =>
    module instanceof Linear ? [{ path, written, layer: module }] : [],
  );
  const linear = modules.flatMap(({ written, module }) => (module instanceof Linear ? [written] : []));
  if (typeof targetModules !== "string" && targetModules !== DEFAULT_TARGETS) {
    refuseSlips(targetModules, linear);
  }
  if (!isFile) refuseIdleExclusion(options, linear.some(isExcluded));
  const selected = found.map(({ written }) => written);
  if (selected.length === 0) throw nothingFound(options, linear);
  if (!isFile) refuseIdleLayers(options, selected);

  const patterns = (name: string, values: Readonly<Record<string, number>>) => {
    const tests = Object.keys(values).map((key) => {
      const test = patternTest(`addLoRA: ${name}`, key);
      if (!isFile && !selected.some(test)) {
        const names = lastNames(selected).join(", ");
        throw new Error(
          `addLoRA: ${name} ${JSON.stringify(key)} matches no adapted layer; they are named ${names}`,
        );
      }
      return [key, test] as const;
    });
    return (written: string) => {
      const key = tests.find(([, test]) => test(written))?.[0];
      return key === undefined ? undefined : values[key];
    };
  };
  const rankOf = patterns("rankPattern", rankPattern);
  const alphaOf = patterns("alphaPattern", alphaPattern);
  return found.map(({ path, written, layer }) => ({
    path,
    layer,
    rank: rankOf(written) ?? rank,
    alpha: alphaOf(written) ?? alpha,
  }));
}

/** Every module of the tree with its path; what lies inside a Linear, as its adapter does, is not listed. */
export function* namedModules(module: Module, prefix = ""): Iterable<[string, Module]> {
  for (const [name, child] of module.children()) {
    yield [prefix + name, child];
    if (!(child instanceof Linear)) yield* namedModules(child, `${prefix}${name}.`);
  }
}

function suffixTest(names: readonly string[]): (path: string) => boolean {
  return (path) => names.some((name) => path === name || path.endsWith(`.${name}`));
}

function targetTest(options: CheckedLoRAOptions): (path: string) => boolean {
  const { targetModules } = options;
  if (targetModules === "all-linear") return () => true;
  if (typeof targetModules === "string") return fullMatch("addLoRA: targetModules", targetModules);
  const isTarget = suffixTest(targetModules);
  const layers = layersOf(options);
  if (layers.length === 0) return isTarget;
  const numberOf = layerNumber(options);
  return (path) => {
    if (targetModules.includes(path)) return true;
    if (!isTarget(path)) return false;
    const number = numberOf(path);
    return number !== undefined && layers.includes(number);
  };
}

const layersOf = ({ layersToTransform = [] }: CheckedLoRAOptions): number[] => [layersToTransform].flat();

/** The number of the layer that a path lies in, or undefined where it lies in none. */
function layerNumber({ layersPattern }: CheckedLoRAOptions): (path: string) => number | undefined {
  const patterns =
    layersPattern === undefined
      ? [".*?\\.[^.]*\\.(\\d+)\\."]
      : [layersPattern].flat().map((pattern) => `(?:|.*?\\.)(?:${pattern})\\.(\\d+)\\.`);
  const numbers = patterns.map((pattern) => firstGroup("addLoRA: layersPattern", pattern));
  return (path) => {
    const number = numbers.map((find) => find(path)).find((found) => found !== undefined);
    return number === undefined ? undefined : Number(number);
  };
}

function refuseIdleLayers(options: CheckedLoRAOptions, selected: readonly string[]): void {
  const layers = layersOf(options);
  if (layers.length === 0) return;
  const numbers = new Set(selected.map(layerNumber(options)));
  const idle = layers.find((layer) => !numbers.has(layer));
  if (idle === undefined) return;
  const known = [...numbers].filter((number) => number !== undefined).sort((a, b) => a - b);
  throw new Error(
    `addLoRA: layersToTransform ${idle} selects no layer; of those given ${known.join(", ") || "none"} did`,
  );
}

function exclusionTest({ excludeModules }: CheckedLoRAOptions): (path: string) => boolean {
  if (excludeModules === undefined) return () => false;
  return typeof excludeModules === "string"
    ? fullMatch("addLoRA: excludeModules", excludeModules)
    : suffixTest(excludeModules);
}

function refuseIdleExclusion({ excludeModules }: CheckedLoRAOptions, excludes: boolean): void {
  if (excludeModules === undefined || excludes) return;
  throw new Error(
    `addLoRA: excludeModules ${JSON.stringify(excludeModules)} excludes no Linear; a list holds ends of the layers' paths, ` +
      "and a string is a regular expression for whole paths",
  );
}

/** The last names of paths, each once. */
function lastNames(paths: readonly string[]): string[] {
  return Array.from(new Set(paths.map((path) => path.split(".").at(-1)!)));
}

/** Entries for another kind of model may match nothing, but one that is nearly a name of this model is a slip. */
function refuseSlips(targets: readonly string[], linear: readonly string[]): void {
  for (const target of targets) {
    if (linear.some((path) => path === target || path.endsWith(`.${target}`))) continue;
    const near = nearest(target, linear);
    const letters = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, "");
    if (near && (near.distance <= 1 || letters(near.name) === letters(target))) {
      throw new Error(`addLoRA: targetModules "${target}" matches no Linear; did you mean "${near.name}"?`);
    }
  }
}

function nothingFound(
  { targetModules, within, layersToTransform }: CheckedLoRAOptions,
  linear: string[],
): Error {
  const where = within === "" ? "" : ` within "${within}"`;
  const layers = layersToTransform === undefined ? "" : ` in layers ${[layersToTransform].flat().join(", ")}`;
  const targets = typeof targetModules === "string" ? `"${targetModules}"` : `[${targetModules.join(", ")}]`;
  const names = lastNames(linear);
  const near = [targetModules]
    .flat()
    .flatMap((target) => nearest(target.split(".").at(-1)!, linear)?.name ?? []);
  const listed = [...new Set([...near, ...names])].slice(0, 20).join(", ");
  return new Error(
    `addLoRA: targetModules ${targets} match no Linear${where}${layers}; the model's are named ${listed || "(none)"}`,
  );
}

function nearest(target: string, linear: readonly string[]): { name: string; distance: number } | undefined {
  const names = lastNames(linear).filter((name) => !/^\d+$/.test(name));
  const candidates = names.map((name) => ({ name, distance: editDistance(target, name) }));
  return candidates.sort((a, b) => a.distance - b.distance)[0];
}

/** How many characters to insert, delete or replace (Levenshtein). Long names are cut: their distance only ranks. */
function editDistance(first: string, second: string): number {
  const [a, b] = [first.slice(0, 64), second.slice(0, 64)];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, character] of Array.from(a).entries()) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      next.push(Math.min(next[j]! + 1, row[j + 1]! + 1, row[j]! + (character === b[j] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}
