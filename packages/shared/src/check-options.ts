/**
 * How `checkOptions` checks an option beside its name: `"boolean"` and `"function"` by the type of its value, `"nullable"` not at all, and `true`
 * that it is not null. Numbers, choices and tensors have checks of their own.
 */
export type OptionKind = true | "boolean" | "function" | "nullable";

/** The kind that an option of type `V` has. */
type KindOf<V> = null extends V
  ? "nullable"
  : [V] extends [boolean]
    ? "boolean"
    : [V] extends [(...args: never[]) => unknown]
      ? "function"
      : true;

/**
 * Names every option of `T` once, with its kind; the compiler refuses a list that lacks one, has one too many, or tells a wrong kind. A
 * `reduction` has a type parameter for its type, of which no kind is known.
 */
export type OptionNames<T> = {
  readonly [K in keyof Required<T>]: K extends "reduction" ? true : KindOf<Exclude<T[K], undefined>>;
};

/**
 * Checks the names of an options object, and that no value is null, and drops the options that are undefined, so that their defaults
 * apply.
 *
 * @param caller the public function, for the error
 * @param options as the user gave them
 * @param names every option that the function knows, with its kind
 * @returns a copy without undefined options
 * @throws on an unknown option, with its name and those that are known, on a value of the wrong kind, and on a value that is not an object
 *
 * @example
 * const { k = 20, sorted = true } = checkOptions("kNN", options, { k: true, sorted: "boolean" });
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
    const expected = known.length > 0 ? `some of ${known.join(", ")}` : "none";
    throw new TypeError(
      `${caller}: unknown option${unknown.length > 1 ? "s" : ""} ${list}; expected ${expected}`,
    );
  }
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  for (const [name, value] of given) {
    checkKind(`${caller}: ${name}`, value, (names as Record<string, OptionKind>)[name]);
  }
  return Object.fromEntries(given) as T;
}

function checkKind(name: string, value: unknown, kind: OptionKind): void {
  if (kind === "boolean") checkBoolean(name, value);
  else if (kind === "function") checkFunction(name, value);
  else if (kind === true && value === null) {
    throw new TypeError(`${name} must have a value, got null`);
  }
}

/**
 * Checks that a value is true or false: any other would count as one of them in silence.
 *
 * @param name how the error names it, such as `"infoNCE: symmetric"`
 * @returns the value
 */
export function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw new TypeError(`${name} must be a boolean, got ${describe(value)}`);
}

/** Checks that a value is a function. @param name how the error names it, such as `"featureObjective: loss"` */
export function checkFunction(name: string, value: unknown): void {
  if (typeof value !== "function") throw new TypeError(`${name} must be a function, got ${describe(value)}`);
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
 * Checks an array of numbers, each as {@link checkNumber} does.
 *
 * @param name how the error names it, such as `"weightedSum: weights"`
 * @returns the array
 */
export function checkNumbers(name: string, values: unknown, range: NumberRange = {}): readonly number[] {
  if (!Array.isArray(values))
    throw new TypeError(`${name} must be an array of numbers, got ${describe(values)}`);
  for (const [i, value] of values.entries()) checkNumber(`${name}[${i}]`, value, range);
  return values;
}

/**
 * Checks that a value is a text with at least one character: an empty one comes of an unset variable.
 *
 * @param name how the error names it, such as `"resolveModel: cacheDir"`
 * @returns the text
 */
export function checkText(name: string, value: unknown): string {
  if (typeof value === "string" && value !== "") return value;
  throw new TypeError(`${name} must be a string, not empty, got ${describe(value)}`);
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
  if (typeof value === "bigint") return `${value}n`;
  return String(value);
}
