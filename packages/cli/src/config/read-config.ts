import { existsSync } from "node:fs";
import { join } from "node:path";
import { isAlias, isScalar, parseDocument, stringify, visit } from "yaml";
import type { z } from "zod";
import { describe } from "../shared/check-options.js";
import { expectation } from "../shared/expectation.js";
import { readSmallFile } from "../shared/regular-file.js";
import { shown } from "../shared/shown.js";
import { didYouMean, nearName } from "./near-name.js";
import { type RunConfig, runConfigSchema } from "./run-config.js";

/** Some of a configuration's settings, by section. */
export type PartialConfig = { [key: string]: unknown };

/** Checks a configuration. @param where what an error calls it. @throws one line that names each setting that is wrong. */
export function checkConfig(where: string, config: unknown): RunConfig {
  const { checked, problems } = tryConfig(config);
  if (checked) return checked;
  throw new Error(`${where}: ${problems.map(({ setting, what }) => `${setting}: ${what}`).join("; ")}`);
}

/** A setting that is wrong. */
export interface Problem {
  /** Its path, such as `enhance.batch`. */
  setting: string;
  /** The rest of the error's text. */
  what: string;
}

/** A configuration as the schema reads it, or its problems. */
export function tryConfig(
  config: unknown,
): { checked: RunConfig; problems?: never } | { checked?: never; problems: Problem[] } {
  const result = runConfigSchema.safeParse(config);
  if (result.success) return { checked: result.data };
  return { problems: result.error.issues.flatMap((issue) => problemsOf(issue, config)) };
}

function problemsOf(issue: z.core.$ZodIssue, config: unknown): Problem[] {
  const path = issue.path.map(String);
  const unknown = issue.code === "unrecognized_keys" ? issue.keys : [];
  const variant = nameOfVariant([...path, ...unknown], config);
  if (variant !== undefined) {
    const own = { ...issue, path: issue.path.slice(2) } as z.core.$ZodIssue;
    return problemsOf(own, at(config, path.slice(0, 2))).map(({ setting, what }) => ({
      setting: path[0]!,
      what: `${variant}: ${setting}: ${what}`,
    }));
  }
  if (unknown.length > 0) return unknown.map((key) => unknownSetting([...path, key]));
  const given = at(config, path);
  // A section that is neither form of a union has the form of sections, and one of its settings is wrong.
  if (issue.code === "invalid_union" && isSection(given)) {
    const inner = issue.errors.at(-1)!;
    return inner.flatMap((own) => problemsOf({ ...own, path: [...issue.path, ...own.path] }, config));
  }
  const setting = path.join(".") || "settings";
  if (given === undefined) return [{ setting, what: "missing" }];
  const choices = issue.code === "invalid_value" && typeof given === "string" ? issue.values.map(String) : [];
  const got = Array.isArray(given) ? shown(given) : describe(given);
  return [{ setting, what: `${expectation(issue)}, got ${got}${didYouMean(String(given), choices)}` }];
}

const at = (config: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((value, key) => (value as PartialConfig | undefined)?.[key], config);

/** The name of the variant that a path such as `methods.4.enhance.steps` leads into; undefined where it does not, or the name itself is wrong. */
function nameOfVariant([list, index, key]: readonly string[], config: unknown): string | undefined {
  if (list !== "methods" || key === undefined || key === "name") return undefined;
  const name = at(config, [list, index!, "name"]);
  return typeof name === "string" && name !== "" ? name : undefined;
}

/** peft's names of settings that are called otherwise here. */
const peftNames: Record<string, string> = { r: "rank", lora_alpha: "alpha", lora_dropout: "dropout" };

/** One line on a setting that does not exist, with the one that may be meant. */
function unknownSetting(path: string[]): Problem {
  const known = settingNames();
  const own = path.join(".");
  const parent = path.slice(0, -1).join(".");
  const siblings = known.filter((name) => name.split(".").slice(0, -1).join(".") === parent);
  const last = (name: string) => name.split(".").at(-1)!;
  const near =
    (parent === "lora" ? peftNames[path.at(-1)!] : undefined) ??
    nearName(path.at(-1)!, siblings.map(last)) ??
    // The same name in another section.
    known.find((name) => last(name) === path.at(-1) && name !== own);
  const meant = near && (near.includes(".") || parent === "" ? near : `${parent}.${near}`);
  return { setting: own, what: `no such setting${meant ? `; did you mean ${meant}?` : ""}` };
}

/** Every setting by its path, such as `lora.rank`. */
export function settingNames(): string[] {
  const names: string[] = [];
  const walk = (schema: z.ZodObject, prefix: string) => {
    for (const [key, inner] of Object.entries(schema.shape)) {
      names.push(prefix + key);
      if ("shape" in (inner as object)) walk(inner as z.ZodObject, `${prefix}${key}.`);
    }
  };
  walk(runConfigSchema, "");
  return names;
}

/** Reads settings from a YAML file. Not every setting need be there. @throws naming the file, and the line where one is at fault. */
export async function readSettings(path: string): Promise<PartialConfig> {
  const document = parseDocument(await readYaml(path));
  const [error] = [...document.errors, ...document.warnings];
  if (error) throw new Error(`${path}: not valid YAML: ${error.message.split("\n")[0]}`);
  visit(document, {
    Node(_, node) {
      if (isAlias(node)) throw new Error(`${path}: aliases (*${node.source}) are not supported`);
    },
    Pair(_, { key }) {
      // To JavaScript it is no key but what an object inherits from.
      if (isScalar(key) && key.value === "__proto__") throw new Error(`${path}: __proto__: no such setting`);
    },
  });
  const settings: unknown = document.toJS() ?? {};
  if (!isSection(settings)) {
    throw new Error(`${path}: expected settings by name, got ${describe(settings)}`);
  }
  for (const [name, value] of Object.entries(settings)) {
    if (!sectionNames().has(name) || isSection(value)) continue;
    const hint = value === null ? "; leave its name out too" : "";
    throw new Error(`${path}: ${name}: expected settings by name, got ${describe(value)}${hint}`);
  }
  return settings;
}

/** The settings that have settings of their own, such as `enhance`. */
const sectionNames = (): Set<string> =>
  new Set(settingNames().flatMap((name) => (name.includes(".") ? [name.split(".")[0]!] : [])));

/** A file of settings is short; a longer one is another file. */
const maxBytes = 2 ** 20;

async function readYaml(path: string): Promise<string> {
  const bytes = await readSmallFile(path, maxBytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new Error(`${path}: not UTF-8`);
  }
}

/** One set of settings over another. Sections are merged; lists are replaced. */
export function mergeSettings(under: PartialConfig, over: PartialConfig): PartialConfig {
  const merged = { ...under };
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    merged[key] = isSection(below) && isSection(value) ? mergeSettings(below, value) : value;
  }
  return merged;
}

const isSection = (value: unknown): value is PartialConfig =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A configuration as the YAML that `--config` reads. */
export const configToYaml = (config: RunConfig): string => stringify(config);

/** Where a run's configuration lies in its folder. */
export const configPath = (run: string): string => join(run, "config.yaml");

/** Reads a run folder's configuration. @throws one line that names the folder and what is wrong. */
export async function readRunConfig(run: string): Promise<RunConfig> {
  if (!existsSync(run)) throw new Error(`${run}: no such folder`);
  const path = configPath(run);
  if (!existsSync(path)) throw new Error(`${run}: there is no run here, it has no config.yaml`);
  return checkConfig(path, await readSettings(path));
}
