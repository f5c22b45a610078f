const PHOTOMETRIC = 262;
const COMPRESSION = 259;
const YCBCR = 6;
/** libtiff converts the colours of these two to RGB. */
const JPEG = [6, 7];

/**
 * Whether a TIFF's first page holds YCbCr as it is, without JPEG compression: the decoder would take its planes for red, green and blue.
 * False where the file is too damaged to tell.
 */
export function isPlainYCbCr(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = bytes[0] === 0x49;
  const values = new Map<number, number>();
  try {
    const isBig = view.getUint16(2, little) === 43;
    const offset = (at: number) =>
      isBig ? Number(view.getBigUint64(at, little)) : view.getUint32(at, little);
    const directory = offset(isBig ? 8 : 4);
    const count = isBig ? Number(view.getBigUint64(directory, little)) : view.getUint16(directory, little);
    const [first, size, valueAt] = isBig ? [8, 20, 12] : [2, 12, 8];
    for (let i = 0; i < Math.min(count, 1000); i++) {
      const entry = directory + first! + i * size!;
      const tag = view.getUint16(entry, little);
      // Both are of 16 bits, and lie in the entry itself.
      if (tag === PHOTOMETRIC || tag === COMPRESSION)
        values.set(tag, view.getUint16(entry + valueAt!, little));
    }
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
  return values.get(PHOTOMETRIC) === YCBCR && !JPEG.includes(values.get(COMPRESSION) ?? 1);
}
