import sharp from "sharp";

type Colour = [red: number, green: number, blue: number];

/** A PNG file of pixels given by their place. */
export function png(
  width: number,
  height: number,
  colourAt: (x: number, y: number) => Colour,
): Promise<Buffer> {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return colourAt(pixel % width, Math.floor(pixel / width))[i % 3];
  });
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}
