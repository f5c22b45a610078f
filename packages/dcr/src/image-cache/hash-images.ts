/**
 * Names images by their content: SHA-256 of the pixels, in hexadecimal.
 *
 * @param images images one after the other @param values how many values each has
 */
export async function hashImages(images: Float32Array, values: number): Promise<string[]> {
  const count = images.length / values;
  return Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const pixels = new Float32Array(images.subarray(i * values, (i + 1) * values));
      return toHex(await crypto.subtle.digest("SHA-256", pixels));
    }),
  );
}

export function toHex(bytes: ArrayBuffer): string {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
