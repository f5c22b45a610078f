/** A stream of seeded random numbers in [0, 1) (mulberry32). */
export function seededNumbers(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const strings = [
  "",
  "gelu",
  "mean",
  "0",
  "NaN",
  "__proto__",
  "constructor",
  "\u0000",
  "x".repeat(5000),
  "🙂",
  "../..",
  "float16",
  "linear",
];
const numbers = [
  0,
  -0,
  1,
  -1,
  2,
  7,
  0.5,
  1e-300,
  1e308,
  -1e308,
  2 ** 31,
  2 ** 53,
  1e8,
  1e20,
  Number.NaN,
  Infinity,
  -Infinity,
];
const others = [
  null,
  undefined,
  true,
  false,
  10n,
  Symbol("s"),
  () => 1,
  new Date(0),
  new Map(),
  Promise.resolve(1),
  new Float32Array(3),
  /a/,
];

/** Makes hostile values: numbers at the ends, strings that are names, empty and nested containers, values of other kinds. */
export function hostileValues(next) {
  const pick = (list) => list[Math.floor(next() * list.length)];
  const integer = (n) => Math.floor(next() * n);
  const value = (depth = 0) => {
    const kind = integer(depth > 2 ? 4 : 6);
    if (kind === 0) return pick(numbers);
    if (kind === 1) return pick(strings);
    if (kind === 2) return pick(others);
    if (kind === 3) return integer(100) - 10;
    if (kind === 4) return Array.from({ length: integer(4) }, () => value(depth + 1));
    return Object.fromEntries(
      Array.from({ length: integer(4) }, () => [pick(strings) || "k", value(depth + 1)]),
    );
  };
  /** A copy of plain data with one to three places changed, removed, doubled or added. */
  const mutate = (data) => {
    const copy = structuredClone(data);
    for (let round = 1 + integer(3); round > 0; round--) {
      let at = copy;
      while (true) {
        const keys = Object.keys(at);
        if (keys.length === 0) break;
        const key = pick(keys);
        if (typeof at[key] === "object" && at[key] !== null && next() < 0.6) {
          at = at[key];
          continue;
        }
        const action = integer(4);
        if (action === 0) delete at[key];
        else if (action === 1 && !Array.isArray(at) && !ArrayBuffer.isView(at))
          at[pick(strings) || "extra"] = value();
        // A symbol cannot be an element of a typed array.
        else at[key] = ArrayBuffer.isView(at) ? Number(integer(256)) : value();
        break;
      }
    }
    return copy;
  };
  /** A copy of bytes with some changed, cut off or added. */
  const mutateBytes = (bytes) => {
    const copy = Buffer.from(bytes);
    for (let round = integer(6); round > 0 && copy.length > 0; round--)
      copy[integer(copy.length)] = integer(256);
    if (next() < 0.3) return copy.subarray(0, integer(copy.length + 1));
    if (next() < 0.1) return Buffer.concat([copy, Buffer.alloc(integer(64), integer(256))]);
    return copy;
  };
  return { pick, integer, value, mutate, mutateBytes };
}
