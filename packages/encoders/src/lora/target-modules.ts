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

/**
 * The Linear layers that options select, by peft's rules (`check_target_module_exists`, `get_pattern_key`).
 *
 * @throws if nothing is selected, a target is a layer of a kind that has no adapter here, an entry is a slip of a name that
 *   exists, or an exclusion or a pattern selects nothing
 */
export function selectTargets(model: Module, options: CheckedLoRAOptions): Target[] {
  const { targetModules, within, rank, alpha, rankPattern, alphaPattern } = options;
  const modules = Array.from(namedModules(model)).filter(
    ([path]) => within === "" || path === within || path.startsWith(`${within}.`),
  );
  const isTarget = targetTest(options);
  const isExcluded = exclusionTest(modules, options);
  const matched = modules.filter(([path]) => isTarget(path) && !isExcluded(path));
  const other = matched.find(([, module]) => module instanceof Conv2d || module instanceof Embedding);
  if (other && targetModules !== "all-linear") {
    throw new Error(
      `addLoRA: targetModules must select Linear layers, got ${other[0]}, which is a ${other[1].constructor.name}`,
    );
  }
  const found = matched.flatMap(([path, module]) =>
    module instanceof Linear ? [{ path, layer: module }] : [],
  );
  const linear = modules.flatMap(([path, module]) => (module instanceof Linear ? [path] : []));
  if (typeof targetModules !== "string" && targetModules !== DEFAULT_TARGETS) {
    refuseSlips(targetModules, linear);
  }
  if (found.length === 0) throw nothingFound(options, linear);

  const patterns = (name: string, values: Readonly<Record<string, number>>) => {
    const tests = Object.keys(values).map((key) => {
      const test = patternTest(`addLoRA: ${name}`, key);
      if (!found.some(({ path }) => test(path))) {
        const names = lastNames(found.map(({ path }) => path)).join(", ");
        throw new Error(
          `addLoRA: ${name} ${JSON.stringify(key)} matches no adapted layer; they are named ${names}`,
        );
      }
      return [key, test] as const;
    });
    return (path: string) => {
      const key = tests.find(([, test]) => test(path))?.[0];
      return key === undefined ? undefined : values[key];
    };
  };
  const rankOf = patterns("rankPattern", rankPattern);
  const alphaOf = patterns("alphaPattern", alphaPattern);
  return found.map(({ path, layer }) => ({
    path,
    layer,
    rank: rankOf(path) ?? rank,
    alpha: alphaOf(path) ?? alpha,
  }));
}

/** Every module of the tree with its path; what lies inside a Linear, as its adapter does, is not listed. */
function* namedModules(module: Module, prefix = ""): Iterable<[string, Module]> {
  for (const [name, child] of module.children()) {
    yield [prefix + name, child];
    if (!(child instanceof Linear)) yield* namedModules(child, `${prefix}${name}.`);
  }
}

function suffixTest(names: readonly string[]): (path: string) => boolean {
  return (path) => names.some((name) => path === name || path.endsWith(`.${name}`));
}

function targetTest({
  targetModules,
  layersToTransform,
  layersPattern,
}: CheckedLoRAOptions): (path: string) => boolean {
  if (typeof targetModules === "string") {
    if (targetModules.toLowerCase() === "all-linear") return () => true;
    return fullMatch("addLoRA: targetModules", targetModules);
  }
  const isTarget = suffixTest(targetModules);
  if (
    layersToTransform === undefined ||
    (Array.isArray(layersToTransform) && layersToTransform.length === 0)
  ) {
    return isTarget;
  }
  const layers = new Set([layersToTransform].flat());
  const indexOf =
    layersPattern === undefined
      ? [firstGroup("addLoRA: layersPattern", ".*?\\.[^.]*\\.(\\d+)\\.")]
      : [layersPattern]
          .flat()
          .map((pattern) => firstGroup("addLoRA: layersPattern", `(?:|.*?\\.)(?:${pattern})\\.(\\d+)\\.`));
  return (path) => {
    if (targetModules.includes(path)) return true;
    if (!isTarget(path)) return false;
    const index = indexOf.map((find) => find(path)).find((found) => found !== undefined);
    return index !== undefined && layers.has(Number(index));
  };
}

function exclusionTest(
  modules: [string, Module][],
  { excludeModules }: CheckedLoRAOptions,
): (path: string) => boolean {
  if (excludeModules === undefined) return () => false;
  const isExcluded =
    typeof excludeModules === "string"
      ? fullMatch("addLoRA: excludeModules", excludeModules)
      : suffixTest(excludeModules);
  if (!modules.some(([path, module]) => module instanceof Linear && isExcluded(path))) {
    throw new Error(
      `addLoRA: excludeModules ${JSON.stringify(excludeModules)} excludes no Linear; a list holds ends of the layers' paths, ` +
        "and a string is a regular expression for whole paths",
    );
  }
  return isExcluded;
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
