import { describe } from "../shared/check-options.js";

const kinds: [string, number[]][] = [
  ["jpeg", [0xff, 0xd8, 0xff]],
  ["png", [0x89, 0x50, 0x4e, 0x47]],
  ["gif", [0x47, 0x49, 0x46, 0x38]],
  ["webp", [0x52, 0x49, 0x46, 0x46]],
];

/** An image file's content as a `data:` URL. @throws on content that is none of the four kinds */
export function imageURL(name: string, image: Uint8Array | string): string {
  if (typeof image === "string" && image.startsWith("data:image/")) return image;
  const kind =
    image instanceof Uint8Array && kinds.find(([, magic]) => magic.every((byte, i) => image[i] === byte));
  if (!kind)
    throw new TypeError(
      `${name} must be a JPEG, PNG, GIF or WebP file's content or a data:image URL, got ${describe(image)}`,
    );
  return `data:image/${kind[0]};base64,${Buffer.from(image as Uint8Array).toString("base64")}`;
}
