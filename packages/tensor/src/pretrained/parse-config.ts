import type { z } from "zod";
import { checkOptions, describe } from "../shared/check-options.js";
import { expectation } from "../shared/expectation.js";
import { shown } from "../shared/shown.js";

/** How a model's configuration is read: each key that its Python class writes is in one of the three lists. */
export interface ConfigFormat<Schema extends z.ZodObject> {
  /** The model's name in errors, for example `"UNet2DConditionModel"`. */
  name: string;
  /** The keys that are supported, with their defaults and bounds. */
  schema: Schema;
  /** Keys that do not change what the model computes. They are kept as they are. */
  harmless?: readonly string[];
  /**
   * Keys that change the result and are supported at some values only, with those values: `{ conv_in_kernel: [3] }`. A
   * list in the file is accepted where each of its elements is.
   */
  neutral?: Readonly<Record<string, readonly unknown[]>>;
  /** Whether null stands for a key's default, as in the files of image processors and tokenizers. Default false. */
  nullIsAbsent?: boolean;
}

/** Where a configuration comes from and which unknown keys its user accepts. */
export interface ConfigOptions {
  /** The file it was read from, for errors. */
  file?: string;
  /** Unknown keys that are accepted, by their names; of a nested configuration `"key"` or `"text_config.key"`. Default none. */
  acceptKeys?: readonly string[];
  /** Where the configuration lies in its file, for errors, for example `"text_config"`. */
  at?: string;
}

/** Errors name this many problems and count the rest. */
const LISTED = 8;

/**
 * Checks a configuration, as `config.json` holds it or as code gives it, and fills in defaults. Every key must be known:
 * supported, harmless, or at its neutral value. Keys that start with `_` are harmless. A key that nobody knows is
 * accepted where its value is null or false, or where `acceptKeys` names it. A key whose value is undefined is absent.
 *
 * @param format the model's keys
 * @param config the configuration
 * @param given `file`, `at`: for errors; `acceptKeys`: unknown keys that are accepted
 * @returns the supported keys, checked; the others are kept as they came, so that they can be saved again
 * @throws on an unknown option; else one line that names the model, the file, and every key that is not as it should be with what came
 *
 * @example
 * parseConfig({ name: "Tower", schema: z.object({ layers: layerCount }), harmless: ["dropout"] }, { layers: 12 });
 */
export function parseConfig<Schema extends z.ZodObject>(
  format: ConfigFormat<Schema>,
  config: unknown,
  given: ConfigOptions = {},
): z.output<Schema> {
  const { name, schema, nullIsAbsent = false } = format;
  const options = checkOptions(name, given, { file: true, acceptKeys: true, at: true });
  const where = options.file === undefined ? name : `${name}: ${options.file}`;
  checkAcceptKeys(name, options.acceptKeys);
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    throw new Error(`${where}: ${options.at ?? "config"} must be an object, got ${shown(config)}`);
  }
  const entries = Object.entries(config).filter(
    ([, value]) => value !== undefined && !(nullIsAbsent && value === null),
  );
  const supported = entries.filter(([key]) => Object.hasOwn(schema.shape, key));
  const foreign = supported.find(([, value]) => !isJson(value));
  if (foreign) {
    const [key, value] = foreign;
    throw new Error(`${where}: ${nameOf(key)}: expected a value that JSON can hold, got ${describe(value)}`);
  }
  const others = entries.filter(([key]) => !Object.hasOwn(schema.shape, key));

  const values = Object.fromEntries(supported);
  const result = schema.safeParse(values);
  const issues = result.error?.issues ?? [];
  // Rules between keys say nothing new where one of the keys is wrong by itself.
  const ofKeys = issues.filter(({ path }) => path.length > 0);
  const problems = (ofKeys.length > 0 ? ofKeys : issues).map((issue) => {
    const at = issue.path.reduce<unknown>((value, key) => (value as never)?.[key], values);
    if (issue.path.length === 0) return { key: "", text: issue.message };
    const came = at === undefined ? "but it is missing" : `got ${shown(at)}`;
    return { key: issue.path.join("."), text: `${expectation(issue)}, ${came}` };
  });
  for (const [key, value] of others) {
    const text = fault(format, key, value, options);
    if (text) problems.push({ key, text });
  }
  if (problems.length > 0) {
    const prefix = options.at === undefined ? "" : `${options.at}.`;
    const lines = problems
      .slice(0, LISTED)
      .map(({ key, text }) => (key === "" ? text : `${prefix}${nameOf(key)}: ${text}`));
    if (problems.length > LISTED) lines.push(`and ${problems.length - LISTED} more`);
    throw new Error(`${where}: ${lines.join("; ")}`);
  }
  return { ...Object.fromEntries(others), ...(result.data as z.output<Schema>) };
}

/** A key as it is, or quoted and cut where it is no usual name. */
const nameOf = (key: string): string => (/^[\w.-]{1,80}$/.test(key) ? key : shown(key));

/** Whether a value is made of what JSON has, NaN and infinities included, which Python writes. A schema may crash on others. */
function isJson(value: unknown): boolean {
  // A list of what is left to look at: files may nest more deeply than the stack.
  const left = [value];
  const seen = new Set<unknown>();
  while (left.length > 0) {
    const next = left.pop();
    if (seen.has(next)) continue;
    seen.add(next);
    if (next === null || ["string", "number", "boolean", "undefined"].includes(typeof next)) continue;
    if (typeof next !== "object") return false;
    const prototype = Object.getPrototypeOf(next);
    if (!Array.isArray(next) && prototype !== Object.prototype && prototype !== null) return false;
    for (const item of Object.values(next as object)) left.push(item);
  }
  return true;
}

/** Why a key that is not in the schema cannot be accepted, or undefined where it can. */
function fault(
  { harmless = [], neutral = {} }: ConfigFormat<z.ZodObject>,
  key: string,
  value: unknown,
  { acceptKeys = [], at }: ConfigOptions,
): string | undefined {
  if (key.startsWith("_") || harmless.includes(key)) return undefined;
  if (Object.hasOwn(neutral, key)) {
    const allowed = neutral[key]!;
    if (isNeutral(value, allowed)) return undefined;
    return `changes the result and is supported only at ${allowed.map(shown).join(" or ")}, got ${shown(value)}`;
  }
  if (value === null || value === false) return undefined;
  if (acceptKeys.includes(key) || (at !== undefined && acceptKeys.includes(`${at}.${key}`))) return undefined;
  return `unknown key, got ${shown(value)}; if it may be ignored, name it in acceptKeys`;
}

function isNeutral(value: unknown, allowed: readonly unknown[]): boolean {
  if (allowed.some((one) => Object.is(one, value) || sameJson(one, value))) return true;
  return Array.isArray(value) && value.length > 0 && value.every((element) => isNeutral(element, allowed));
}

/** Every key of a configuration and of those nested in it: `acceptKeys` for one that was parsed before. */
export function keysOf(config: object): string[] {
  return Object.entries(config).flatMap(([key, value]) => [
    key,
    ...(typeof value === "object" && value !== null && !Array.isArray(value) ? keysOf(value) : []),
  ]);
}

function checkAcceptKeys(name: string, keys: unknown): void {
  if (keys === undefined) return;
  if (Array.isArray(keys) && keys.every((key) => typeof key === "string")) return;
  throw new TypeError(`${name}: acceptKeys must be an array of names, got ${describe(keys)}`);
}

function sameJson(a: unknown, b: unknown): boolean {
  try {
    return JSON.stringify(a) === JSON.stringify(b);
  } catch {
    // A value that code gives may be circular, or hold a bigint.
    return false;
  }
}
