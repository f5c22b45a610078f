interface Segments {
  /** Which segment each row of `from` belongs to; rows of no segment are left out. */
  ids: ArrayLike<number>;
  /** Elements of a row. */
  inner: number;
}

/** Sums the rows of `from` that belong to each row of `to`, in float64: float32 would lose the digits of a long sum. */
export function sumSegments(
  to: Float32Array | Int32Array,
  from: ArrayLike<number>,
  { ids, inner }: Segments,
): void {
  const count = inner === 0 ? 0 : to.length / inner;
  const sums = new Float64Array(to.length);
  for (let i = 0; i < ids.length; i++) {
    if (ids[i] < 0 || ids[i] >= count) continue;
    for (let j = 0; j < inner; j++) sums[ids[i] * inner + j] += from[i * inner + j];
  }
  // An array of integers takes them modulo 2^32.
  to.set(sums);
}
