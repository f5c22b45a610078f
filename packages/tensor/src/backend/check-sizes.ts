/** Refuses a tensor of a negative size, before a kernel writes one. */
export function checkSizes(shape: readonly number[]): void {
  if (shape.some((size) => size < 0))
    throw new Error(`the sizes of a result must be at least 0, got [${shape}]`);
}
