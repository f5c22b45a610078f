import { basename, extname } from "node:path";
import { mergeSettings } from "./read-config.js";
import { type Method, methodNames, type RunConfig } from "./run-config.js";

/** Whether a method is one of ours, and not a user's module. */
export const isOwnMethod = (method: string): method is (typeof methodNames)[number] =>
  (methodNames as readonly string[]).includes(method);

/**
 * A method as a user writes it: `naive+pcgrad` is short for the variant of `naive` of that name whose aggregator is `pcgrad`. Every other text
 * stays as it is.
 */
export function readMethod(text: string): string | { name: string; method: string; aggregator: string } {
  const [, method = "", aggregator = ""] = /^(\w+)\+([\w-]+)$/.exec(text) ?? [];
  return isOwnMethod(method) ? { name: text, method, aggregator } : text;
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

/** The own methods that a setting means something to; settings that are not here mean something to all. */
const usedBy: Partial<Record<keyof RunConfig, readonly string[]>> = {
  temperature: ["con", "naive", "dcr"],
  positives: ["dcr"],
  gradient: ["dcr"],
  naive: ["naive"],
  aggregator: ["naive", "dcr"],
};

/** @throws where a variant has a setting that its method does not use */
export function checkVariant(method: Method, alignment: "rec" | "dcr" | undefined): void {
  if (typeof method === "string" || !isOwnMethod(method.method)) return;
  // A projector that the DCR loss aligns uses its settings, whatever comes after.
  const users = [method.method, ...(alignment === "dcr" ? ["dcr"] : [])];
  for (const key of Object.keys(method)) {
    const by = usedBy[key as keyof RunConfig];
    if (!by || by.some((name) => users.includes(name))) continue;
    throw new Error(
      `--methods: ${method.name}: ${key} means nothing to ${method.method}; it is of ${by.join(", ")}`,
    );
  }
}
