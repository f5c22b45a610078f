import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";

/** The documented range of a number; bounds are inclusive unless they are `above` or `below`. */
export interface DocumentedRange {
  min?: number;
  max?: number;
  above?: number;
  below?: number;
  integer?: boolean;
}

/** The documentation of one option. */
export interface OptionCase<T> {
  /** The default, or a value that says the same. Left out where the option has none. */
  default?: T;
  /** A value that has another result. Left out where the result cannot tell, as for a limit of memory. */
  other?: T;
  range?: DocumentedRange;
  /** Values that are refused beside numbers out of range. */
  refused?: readonly unknown[];
}

export interface OptionsCase<O extends object> {
  /** Calls the function with these options; a tensor is disposed. */
  run: (options: O) => Result | Promise<Result>;
  /** Options that every call is given, those without a default among them. */
  given?: Partial<O>;
  /** Whether these are a function's arguments by name, none of which can be unknown. Default false. */
  arguments?: boolean;
  /** Every option; the compiler refuses a table that lacks one. */
  options: { [K in keyof Required<O>]: OptionCase<Required<O>[K]> };
}

type Result = ArrayLike<number> | tf.Tensor;

/**
 * Declares the tests of a function's documented options: each default is what a call without the option takes, each option changes the
 * result, each bound is taken from inside and refused from outside with the option's name, and an unknown option is refused.
 *
 * @example
 * describeOptions("cagrad", {
 *   run: (options: CAGradOptions) => cagrad(options).weigh(gram).weights,
 *   options: { c: { default: 0.5, other: 1, range: { min: 0 } } },
 * });
 */
export function describeOptions<O extends object>(
  name: string,
  { run, given = {}, arguments: areArguments = false, options }: OptionsCase<O>,
): void {
  const call = async (changes: Record<string, unknown>): Promise<number[]> => {
    const result = await run({ ...given, ...changes } as O);
    if (!(result instanceof tf.Tensor)) return Array.from(result);
    const values = Array.from(await result.data<"float32">());
    result.dispose();
    return values;
  };
  const cases = Object.entries<OptionCase<unknown>>(options);
  describe(`the options of ${name}`, () => {
    it.each(cases)("%s is what is documented", async (option, { default: value, other, range, refused }) => {
      const plain = await call({});
      if (value !== undefined) {
        expect(await call({ [option]: value })).toEqual(plain);
        if (!(option in given)) expect(await call({ [option]: undefined })).toEqual(plain);
      }
      if (other !== undefined) expect(await call({ [option]: other })).not.toEqual(plain);
      for (const inside of range ? insideOf(range) : []) await call({ [option]: inside });
      for (const outside of [...(range ? outsideOf(range) : []), ...(refused ?? [])]) {
        await expect(call({ [option]: outside }), String(outside)).rejects.toThrow(option);
      }
    });

    it.skipIf(areArguments)("are refused where they are unknown", async () => {
      await expect(call({ [`${cases[0]?.[0] ?? "option"}_`]: 1 })).rejects.toThrow("unknown option");
    });
  });
}

/** A step beyond a bound that float32 and messages still resolve. */
const step = (bound: number, { integer }: DocumentedRange) =>
  integer ? 1 : 1e-6 * Math.max(1, Math.abs(bound));

function insideOf(range: DocumentedRange): number[] {
  const { min, max, above, below } = range;
  return [
    min,
    max,
    above === undefined ? undefined : above + step(above, range),
    below === undefined ? undefined : below - step(below, range),
  ].filter((value) => value !== undefined);
}

function outsideOf(range: DocumentedRange): unknown[] {
  const { min, max, above, below, integer } = range;
  return [
    min === undefined ? [] : min - step(min, range),
    max === undefined ? [] : max + step(max, range),
    above ?? [],
    below ?? [],
    integer ? (min ?? max ?? 0) + (min === undefined ? -0.5 : 0.5) : [],
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    "1",
  ].flat();
}
