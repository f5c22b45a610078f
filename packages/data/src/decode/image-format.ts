/** The image formats that are read. */
export type ImageFormat = "jpeg" | "png" | "webp" | "avif" | "gif" | "tiff";

/** Endings of image files, lower case, without the dot. */
export const imageExtensions: readonly string[] = [
  "jpg",
  "jpeg",
  "jpe",
  "jfif",
  "png",
  "webp",
  "avif",
  "gif",
  "tif",
  "tiff",
];

/** Whether a file's name ends as an image's does. */
export function hasImageExtension(name: string): boolean {
  return imageExtensions.includes(name.slice(name.lastIndexOf(".") + 1).toLowerCase()) && name.includes(".");
}

/** The format that a file's first bytes show, or undefined where it is none of ours. */
export function imageFormat(bytes: Uint8Array): ImageFormat | undefined {
  const text = (from: number, to: number) => String.fromCharCode(...bytes.subarray(from, to));
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return "jpeg";
  if (text(0, 8) === "\x89PNG\r\n\x1a\n") return "png";
  if (text(0, 4) === "RIFF" && text(8, 12) === "WEBP") return "webp";
  if (text(0, 6) === "GIF87a" || text(0, 6) === "GIF89a") return "gif";
  // The two byte orders, each as TIFF and as BigTIFF.
  if (["II*\0", "MM\0*", "II+\0", "MM\0+"].includes(text(0, 4))) return "tiff";
  if (text(4, 8) === "ftyp" && /avi[fs]/.test(text(8, 64))) return "avif";
  return undefined;
}

/** An error's account of bytes that are no image. */
export function describeBytes(bytes: Uint8Array): string {
  if (bytes.length === 0) return "is empty";
  const first = [...bytes.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return `is not a JPEG, PNG, WebP, AVIF, GIF or TIFF image (it begins with ${first})`;
}
