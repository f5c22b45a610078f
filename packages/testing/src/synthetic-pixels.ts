/**
 * The pixels of `synthetic` in tools/reference/data_transforms.py: waves for even indices, and a pattern with edges everywhere
 * for odd ones.
 *
 * @returns `[height, width, 3]`
 */
export function syntheticPixels(index: number, width: number, height: number): Uint8Array {
  const data = new Uint8Array(width * height * 3);
  let at = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++) {
        const wave = (x * 5 + y * 3 + c * 40 + index * 11) % 510;
        const edges = (x * 31 + y * 17 + c * 71 + x * y * 3 + index * 29) % 256;
        data[at++] = index % 2 === 0 ? (wave > 255 ? 510 - wave : wave) : edges;
      }
    }
  }
  return data;
}
