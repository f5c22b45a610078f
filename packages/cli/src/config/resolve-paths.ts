import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { messageOf } from "../shared/message-of.js";
import { isOwnMethod } from "./methods.js";

/**
 * The absolute path of one that a user wrote.
 *
 * @param base where relative paths start from
 * @throws where it begins with `~` or `$`, as in `--out=~/runs` or in a file of settings: no shell has replaced it
 */
export function absolutePath(path: string, base: string): string {
  if (!/^[~$]/.test(path)) return resolve(base, path);
  throw new Error(
    `${path}: a shell replaces "~" and variables only where it reads them, and it did not here; write the whole path (a file of that name is ./${path})`,
  );
}

/**
 * Makes every path of a configuration, or of a part of one, absolute, so that a run can be resumed from any folder. Hub ids stay
 * as they are, and so does what is not a path at all, which the schema refuses.
 */
export function resolvePaths<C extends object>(config: C, base: string): C {
  const absolute = (path: string) => absolutePath(path, base);
  const resolveMethod = (method: string) => (isOwnMethod(method) ? method : absolute(method));
  const resolvers: Record<string, (name: string) => string> = {
    encoder: (name) => resolveModelName(name, base),
    diffusion: (name) => resolveModelName(name, base),
    images: absolute,
    latentCache: absolute,
    methods: resolveMethod,
    method: resolveMethod,
    evaluate: (what) => resolveEvaluation(what, base),
  };
  const resolveTexts = (value: unknown, resolver: (text: string) => string): unknown => {
    if (Array.isArray(value)) return value.map((each) => resolveTexts(each, resolver));
    // A variant among the methods.
    if (typeof value === "object" && value !== null && "method" in value) {
      return { ...value, method: resolveTexts(value.method, resolvers.method!) };
    }
    return typeof value === "string" && value !== "" ? resolver(value) : value;
  };
  const entries = Object.entries(config).map(([key, value]) => {
    const resolver = resolvers[key];
    if (!resolver) return [key, value];
    try {
      return [key, resolveTexts(value, resolver)];
    } catch (error) {
      throw new Error(`${key}: ${messageOf(error)}`, { cause: error });
    }
  });
  return Object.fromEntries(entries) as C;
}
/** A folder's absolute path, or a hub id as it is. */
export function resolveModelName(name: string, base: string): string {
  const path = absolutePath(name, base);
  // "owner/name" may be either; a folder goes first, as in transformers.
  return existsSync(path) || !/^[\w.-]+(\/[\w.-]+)?$/.test(name) || name.startsWith(".") ? path : name;
}

/** `kind:<folder>` or the path of a module, with an absolute path. */
export function resolveEvaluation(what: string, base: string): string {
  const [, kind = "", path = ""] = /^((?:mmvp|folder):)?(.*)$/s.exec(what)!;
  // The empty path of an unset variable would be the base itself.
  return path === "" ? what : kind + absolutePath(path, base);
}
