import { existsSync } from "node:fs";
import { basename, extname } from "node:path";
import { isModulePath } from "./import-default.js";
import { didYouMean } from "./near-name.js";
import { mergeSettings } from "./read-config.js";
import {
  type AlignmentLoss,
  type Method,
  type MethodSetting,
  methodNames,
  type RunConfig,
} from "./run-config.js";

/** Whether a method is one of ours, and not a user's module. */
export const isOwnMethod = (method: string): method is (typeof methodNames)[number] =>
  (methodNames as readonly string[]).includes(method);

/** @param config with absolute paths of modules @throws where a method is neither one of ours nor a file */
export function checkMethodNames({ methods }: Pick<RunConfig, "methods">): void {
  for (const path of methods.map(baseOf)) {
    if (isOwnMethod(path) || existsSync(path)) continue;
    const name = basename(path);
    if (isModulePath(name)) throw new Error(`--methods: ${path}: no such file`);
    // naive+pcgrad where the method's name is a slip.
    const meant = didYouMean(name.split("+")[0]!, methodNames);
    throw new Error(
      `--methods: no method ${JSON.stringify(name)}; methods are ${methodNames.join(", ")}, one of them with an aggregator (naive+pcgrad), or the path of a module (./my-loss.mjs)${meant}`,
    );
  }
}

/**
 * A method as a user writes it: `naive+pcgrad` is short for the variant of `naive` of that name whose aggregator is `pcgrad`. Every other text
 * stays as it is.
 */
export function readMethod(text: string): string | { name: string; method: string; aggregator: string } {
  const [, method = "", aggregator = ""] = /^(\w+)\+([\w-]+)$/.exec(text) ?? [];
  return isOwnMethod(method) ? { name: text, method, aggregator } : text;
}

type Variant = { name: string; method: string } & Record<string, unknown>;

/** Whether an entry of `methods`, unchecked as yet, has settings of its own. */
const isVariant = (method: unknown): method is Variant =>
  typeof method === "object" && method !== null && "name" in method && "method" in method;

/**
 * Methods with the settings of their own that a run's file gives under their names. A method with an aggregator (`naive+pcgrad`) also takes those
 * of the method alone, under its own, so that where it has none the two differ by the aggregator.
 *
 * @param methods as they were asked for, unchecked @param file the file's
 */
export function withOwnSettings(methods: readonly unknown[], file: readonly unknown[]): unknown[] {
  const variants = file.filter(isVariant);
  const own = (name: string) => variants.find((variant) => variant.name === name);
  return methods.map((method) => {
    if (typeof method === "string") return own(method) ?? method;
    const isShort = isVariant(method) && method.name === `${method.method}+${method["aggregator"]}`;
    if (!isShort) return method;
    return mergeSettings(mergeSettings(own(method.method) ?? {}, own(method.name) ?? {}), method);
  });
}

/** Methods without a setting of their own at a path such as `enhance.steps`, so that the run's holds for them. */
export function withoutOwnSetting(methods: readonly unknown[], path: string): unknown[] {
  return methods.map((method) => (isVariant(method) ? without(method, path.split(".")) : method));
}

function without<T extends Record<string, unknown>>(settings: T, [key, ...rest]: readonly string[]): T {
  const { [key!]: own, ...others } = settings;
  if (own === undefined) return settings;
  if (rest.length === 0 || typeof own !== "object" || own === null) return others as T;
  return { ...settings, [key!]: without(own as Record<string, unknown>, rest) };
}

/** The method that trains: one of ours by name, or the path of a module. */
export const baseOf = (method: Method): string => (typeof method === "string" ? method : method.method);

/** How a method is called in tables and file names: a variant by its name, a module by its file's name. */
export function methodLabel(method: Method): string {
  if (typeof method !== "string") return method.name;
  return isOwnMethod(method) ? method : basename(method, extname(method));
}

/** The settings that a method trains with: the run's, and over them those of the variant. */
export function settingsOf(method: Method, config: RunConfig): RunConfig {
  if (typeof method === "string") return config;
  const { name: _, method: __, ...own } = method;
  return mergeSettings(config, own) as RunConfig;
}

/** The own methods that a setting means something to; settings that are not here mean something to all that train. */
const usedBy: Partial<Record<MethodSetting, readonly string[]>> = {
  temperature: ["con", "naive", "dcr"],
  positives: ["dcr"],
  gradient: ["dcr"],
  naive: ["naive"],
  aggregator: ["naive", "dcr"],
  conflict: ["naive", "dcr"],
  augment: ["con", "naive", "dcr"],
};

/** The settings that the DCR loss uses where it aligns a projector, whatever method comes after. */
const usedByAlignment: readonly MethodSetting[] = ["temperature", "positives", "gradient", "augment"];

/**
 * Whether a setting changes the training of a method.
 *
 * @param of `alignment`: the loss of its stage 1, undefined where it has none; `positives`: of the DCR loss, which is one loss where they are one
 */
export function usesSetting(
  method: Method,
  setting: MethodSetting,
  { alignment, positives }: { alignment: AlignmentLoss | undefined; positives: RunConfig["positives"] },
): boolean {
  if (method === "original") return false;
  const isOfSeveral = setting === "aggregator" || setting === "conflict";
  if (isOfSeveral && baseOf(method) === "dcr" && positives.length === 1) return false;
  if (setting === "align") return alignment !== undefined;
  const users = usedBy[setting];
  // A user's module may use any.
  if (!users || !isOwnMethod(baseOf(method))) return true;
  return users.includes(baseOf(method)) || (alignment === "dcr" && usedByAlignment.includes(setting));
}

/** Says which methods use a setting, for errors. */
export function usersOf(setting: MethodSetting): string {
  if (setting === "align") return "only methods with a stage 1 do";
  if (setting === "aggregator" || setting === "conflict") return "only naive, and dcr with two positives, do";
  const users = usedBy[setting] ?? [];
  if (users.length === 0) return "only methods that train do";
  if (users.length === 1) return `only ${users[0]} does`;
  return `only ${users.slice(0, -1).join(", ")} and ${users.at(-1)} do`;
}

/** @throws where a variant has a setting that its method does not use */
export function checkVariant(method: Method, of: Parameters<typeof usesSetting>[2]): void {
  if (typeof method === "string") return;
  const { name, method: base, ...own } = method;
  for (const key of Object.keys(own) as MethodSetting[]) {
    if (usesSetting(method, key, of)) continue;
    throw new Error(`--methods: ${name}: ${base} does not use ${key}; ${usersOf(key)}`);
  }
}
