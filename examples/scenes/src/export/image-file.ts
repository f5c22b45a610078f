import sharp from "sharp";

/** One image of a set: `size * size * 3` bytes. */
export function imageOf({ size, images }: { size: number; images: Uint8Array }, index: number): Uint8Array {
  const bytes = size * size * 3;
  return images.subarray(index * bytes, (index + 1) * bytes);
}

/** A PNG file, without loss. */
export function pngFile(pixels: Uint8Array, size: number): Promise<Buffer> {
  return sharp(pixels, { raw: { width: size, height: size, channels: 3 } })
    .png()
    .toBuffer();
}

/** A JPEG file of the best quality with full colour resolution: pixels move by a grey level or two. */
export function jpegFile(pixels: Uint8Array, size: number): Promise<Buffer> {
  return sharp(pixels, { raw: { width: size, height: size, channels: 3 } })
    .jpeg({ quality: 100, chromaSubsampling: "4:4:4" })
    .toBuffer();
}
