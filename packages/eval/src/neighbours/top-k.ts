/** Neighbours of a row, the nearest first. */
export interface Neighbours {
  indices: Int32Array;
  /** Cosines. */
  similarities: Float32Array;
}

/** The k largest of the values in falling order; of equal ones those that come first. `left` is the index of a value that is left out. */
export function topK(values: Float32Array, k: number, left: number): Neighbours {
  const indices = new Int32Array(k);
  const similarities = new Float32Array(k);
  let count = 0;
  // Most values end at this comparison.
  let least = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value <= least || i === left) continue;
    // The last place falls out where all are taken.
    let place = count < k ? count++ : k - 1;
    for (; place > 0 && similarities[place - 1] < value; place--) {
      similarities[place] = similarities[place - 1];
      indices[place] = indices[place - 1];
    }
    similarities[place] = value;
    indices[place] = i;
    if (count === k) least = similarities[k - 1];
  }
  return { indices, similarities };
}
