import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { isOwnMethod } from "../run/jobs.js";
import type { RunConfig } from "./run-config.js";

/** Makes every path of a configuration absolute, so that a run can be resumed from any folder. Hub ids stay as they are. */
export function resolvePaths(config: RunConfig, base: string): RunConfig {
  const absolute = (path: string) => resolve(base, path);
  return {
    ...config,
    encoder: resolveModelName(config.encoder, base),
    diffusion: resolveModelName(config.diffusion, base),
    images: absolute(config.images),
    methods: config.methods.map((method) => (isOwnMethod(method) ? method : absolute(method))),
    evaluate: config.evaluate.map((what) => resolveEvaluation(what, base)),
  };
}

/** A folder's absolute path, or a hub id as it is. */
export function resolveModelName(name: string, base: string): string {
  const path = resolve(base, name);
  // "owner/name" may be either; a folder goes first, as in transformers.
  return existsSync(path) || !/^[\w.-]+(\/[\w.-]+)?$/.test(name) || name.startsWith(".") ? path : name;
}

/** `kind:<folder>` or the path of a module, with an absolute path. */
export function resolveEvaluation(what: string, base: string): string {
  const [, kind = "", path = ""] = /^((?:mmvp|folder):)?(.*)$/s.exec(what)!;
  return kind + resolve(base, path);
}
