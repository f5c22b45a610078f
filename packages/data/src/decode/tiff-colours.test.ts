import { describe, expect, it } from "vitest";
import { decodeImage } from "./decode-image.js";
import { isPlainYCbCr } from "./tiff-colours.js";

/** A TIFF of 2 x 1 pixels, by the TIFF 6.0 specification; `big` by BigTIFF's. */
function tiff(
  photometric: number,
  {
    compression = 1,
    little = true,
    big = false,
  }: { compression?: number; little?: boolean; big?: boolean } = {},
): Uint8Array {
  const [short, long] = [3, 4];
  const pixels = [10, 128, 128, 200, 100, 50];
  const fields = [
    [256, short, 2],
    [257, short, 1],
    [258, short, 8],
    [259, short, compression],
    [262, short, photometric],
    [273, long, 0],
    [277, short, 3],
    [278, short, 1],
    [279, long, pixels.length],
  ];
  const [head, size] = big ? [16 + 8, 20] : [8 + 2, 12];
  const end = head + fields.length * size + 8;
  const view = new DataView(new ArrayBuffer(end + pixels.length));
  const offset = (at: number, value: number) =>
    big ? view.setBigUint64(at, BigInt(value), little) : view.setUint32(at, value, little);
  view.setUint16(0, little ? 0x4949 : 0x4d4d);
  view.setUint16(2, big ? 43 : 42, little);
  if (big) view.setUint16(4, 8, little);
  offset(big ? 8 : 4, big ? 16 : 8);
  if (big) offset(16, fields.length);
  else view.setUint16(8, fields.length, little);
  for (const [i, [tag, type, value]] of fields.entries()) {
    const at = head + i * size;
    view.setUint16(at, tag!, little);
    view.setUint16(at + 2, type!, little);
    offset(at + 4, 1);
    const written = tag === 273 ? end : value!;
    if (type === short) view.setUint16(at + size - (big ? 8 : 4), written, little);
    else view.setUint32(at + size - (big ? 8 : 4), written, little);
  }
  const bytes = new Uint8Array(view.buffer);
  bytes.set(pixels, end);
  return bytes;
}

describe("isPlainYCbCr", () => {
  it("knows it in both byte orders, and in BigTIFF", () => {
    for (const how of [{}, { little: false }, { big: true }, { big: true, little: false }]) {
      expect(isPlainYCbCr(tiff(6, how))).toBe(true);
      expect(isPlainYCbCr(tiff(2, how))).toBe(false);
    }
    for (const compression of [6, 7]) expect(isPlainYCbCr(tiff(6, { compression }))).toBe(false);
    expect(isPlainYCbCr(tiff(6, { compression: 5 }))).toBe(true);
  });

  it("is false of a file that is cut short", () => {
    for (const length of [4, 8, 9, 40]) expect(isPlainYCbCr(tiff(6).subarray(0, length))).toBe(false);
  });
});

it("decodeImage refuses such a file, whose colours would be wrong, and reads the same as RGB", async () => {
  await expect(decodeImage(tiff(6))).rejects.toThrow(
    "decodeImage: the image is a TIFF of YCbCr without JPEG compression, which is not read",
  );
  expect([...(await decodeImage(tiff(2))).data]).toEqual([10, 128, 128, 200, 100, 50]);
});
