interface Segments {
  /** Which segment each row of `from` belongs to; rows of no segment are left out. */
  ids: ArrayLike<number>;
  /** Elements of a row. */
  inner: number;
}

/** Adds the rows of `from` to those of `to`, a row for each segment. */
export function sumSegments(to: Float32Array, from: ArrayLike<number>, { ids, inner }: Segments): void {
  const count = inner === 0 ? 0 : to.length / inner;
  for (let i = 0; i < ids.length; i++) {
    if (ids[i] < 0 || ids[i] >= count) continue;
    for (let j = 0; j < inner; j++) to[ids[i] * inner + j] += from[i * inner + j];
  }
}
