/** Names every option of `T` once; the compiler refuses a list that lacks one or has one too many. */
export type OptionNames<T> = { readonly [K in keyof Required<T>]: true };

/**
 * Checks the names of an options object and drops the options that are undefined, so that their defaults apply.
 *
 * @param caller the public function, for the error
 * @param options as the user gave them
 * @param names every option that the function knows
 * @returns a copy without undefined options
 * @throws on an unknown option, with its name and those that are known, and on a value that is not an object
 *
 * @example
 * const { k = 20 } = checkOptions("kNN", options, { k: true, metric: true });
 */
export function checkOptions<T extends object>(
  caller: string,
  options: T | undefined,
  names: OptionNames<T>,
): T {
  if (options === undefined) return {} as T;
  // A promise or a map has no names of its own to be unknown, and would pass for no options.
  const other = [Array, Promise, Map, Set, ArrayBuffer].some((kind) => (options as unknown) instanceof kind);
  if (typeof options !== "object" || options === null || other || ArrayBuffer.isView(options)) {
    const hint = (options as unknown) instanceof Promise ? ": await it" : "";
    throw new TypeError(`${caller}: options must be an object, got ${describe(options)}${hint}`);
  }
  const known = Object.keys(names);
  const unknown = Object.keys(options).filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    const list = unknown.map(describe).join(", ");
    throw new TypeError(
      `${caller}: unknown option${unknown.length > 1 ? "s" : ""} ${list}; expected some of ${known.join(", ")}`,
    );
  }
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}

/** The range of a number. Bounds are inclusive unless they are `above` or `below`. */
export interface NumberRange {
  min?: number;
  max?: number;
  /** The number must be greater. */
  above?: number;
  /** The number must be less. */
  below?: number;
  integer?: boolean;
}

/**
 * Checks that a value is a finite number in a range.
 *
 * @param name how the error names it, such as `"adamW: learningRate"`
 * @returns the number
 * @throws with the name, what is expected and the value that came
 */
export function checkNumber(name: string, value: unknown, range: NumberRange = {}): number {
  const { min, max, above, below, integer = false } = range;
  const valid =
    typeof value === "number" &&
    Number.isFinite(value) &&
    (!integer || Number.isSafeInteger(value)) &&
    (min === undefined || value >= min) &&
    (max === undefined || value <= max) &&
    (above === undefined || value > above) &&
    (below === undefined || value < below);
  if (valid) return value;
  const bounds = [
    min !== undefined && `at least ${min}`,
    above !== undefined && `greater than ${above}`,
    max !== undefined && `at most ${max}`,
    below !== undefined && `less than ${below}`,
  ].filter(Boolean);
  const expected = [integer ? "an integer" : "a finite number", bounds.join(" and ")]
    .filter(Boolean)
    .join(", ");
  throw new RangeError(`${name} must be ${expected}, got ${describe(value)}`);
}

/**
 * Checks that a value is one of a list.
 *
 * @param name how the error names it, such as `"infoNCE: reduction"`
 * @returns the value
 * @throws with the name, the list and the value that came
 */
export function checkChoice<T extends string>(name: string, value: unknown, choices: readonly T[]): T {
  if (choices.includes(value as T)) return value as T;
  throw new RangeError(`${name} must be one of ${choices.join(", ")}, got ${describe(value)}`);
}

/** A value as an error shows it: short, and with its kind where the text alone would mislead. */
export function describe(value: unknown): string {
  if (typeof value === "string")
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value);
  if (typeof value === "object" && value !== null) {
    if (Array.isArray(value)) return `an array of ${value.length}`;
    return value.constructor?.name ? `a ${value.constructor.name}` : "an object";
  }
  if (typeof value === "function") return "a function";
  return String(value);
}
