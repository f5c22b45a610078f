import { describe } from "../shared/check-options.js";

/** Refuses what is no record of tensors by their names: a map or a list has other names, or none. */
export function checkStateDict(caller: string, dict: unknown): void {
  if (typeof dict === "object" && dict !== null) {
    const prototype: unknown = Object.getPrototypeOf(dict);
    // Of another realm too.
    if (prototype === null || Object.getPrototypeOf(prototype) === null) return;
  }
  throw new TypeError(`${caller}: expected an object of tensors by their names, got ${describe(dict)}`);
}
