import { z } from "zod";

// The limits are several times what published models have. They stop a damaged or hostile file before a model of its size
// is built: each layer is a set of modules, each width an axis of a weight.

/** A number of layers, blocks or heads: 1 to 1,024. */
export const layerCount = z.int().min(1).max(1024);
/** A number of features or channels: 1 to 131,072. */
export const width = z.int().min(1).max(131_072);
/** Pixels or latents along one side: 1 to 16,384. */
export const imageSide = z.int().min(1).max(16_384);
/** A number of positions of a text: 1 to 1,048,576. */
export const tokenCount = z.int().min(1).max(1_048_576);
/** A number of tokens or classes, as an embedding has rows: 1 to 4,194,304. */
export const vocabularySize = z.int().min(1).max(4_194_304);
/** A token's or class's place in a vocabulary: 0 to 4,194,303. */
export const tokenId = z.int().min(0).max(4_194_303);
/** A number of diffusion timesteps: 1 to 100,000. */
export const timestepCount = z.int().min(1).max(100_000);

/** A list with an entry for each level of a U-shaped network: 1 to 16 entries. */
export function levels<T extends z.ZodType>(entry: T) {
  return z.array(entry).min(1).max(16);
}

/**
 * A field whose value may be written as a list of equal values: `[8, 8]` for 8.
 *
 * @example
 * const schema = z.object({ sample_size: valueOrEqualList(imageSide).nullish() });
 */
export function valueOrEqualList<T extends z.ZodType>(field: T) {
  return z.preprocess<unknown, T, z.input<T> | z.input<T>[]>((value) => {
    if (!Array.isArray(value) || value.length === 0) return value;
    return value.every((entry) => entry === value[0]) ? value[0] : value;
  }, field);
}

/**
 * A choice of which some values have other names that mean the same: `choice(["silu"], { swish: "silu" })`.
 *
 * @param values the names as the parsed configuration has them
 * @param aliases other names, each with its meaning
 */
export function choice<const Name extends string, const Alias extends string = never>(
  values: readonly [Name, ...Name[]],
  aliases: Readonly<Record<Alias, Name>> = {} as Record<Alias, Name>,
) {
  const known = z.enum(values);
  return z.preprocess<unknown, typeof known, Name | Alias>(
    (value) => (typeof value === "string" && Object.hasOwn(aliases, value) ? aliases[value as Alias] : value),
    known,
  );
}

/**
 * A rule for `refine`: one number of a configuration is a multiple of another.
 *
 * @example
 * z.object({ hidden_size: width, num_attention_heads: layerCount }).refine(...multipleOf("hidden_size", "num_attention_heads"));
 */
export function multipleOf<A extends string, B extends string>(
  size: A,
  parts: B,
): [(config: Record<A | B, number>) => boolean, { error: (issue: { input?: unknown }) => string }] {
  return [
    (config) => config[size] % config[parts] === 0,
    {
      error: ({ input }) => {
        const config = input as Record<A | B, number>;
        return `${size} must be a multiple of ${parts}, got ${config[size]} and ${config[parts]}`;
      },
    },
  ];
}
