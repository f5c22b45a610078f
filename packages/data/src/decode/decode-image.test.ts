import { readFileSync } from "node:fs";
import fc from "fast-check";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { decodeImage } from "./decode-image.js";

interface Golden {
  file: string;
  mode: string;
  width: number;
  height: number;
  rgb: string;
}

// Files and pixels of Pillow: tools/reference/data_decode.py.
const golden: Record<string, Golden> = JSON.parse(
  readFileSync(new URL("../../fixtures/decode.json", import.meta.url), "utf8"),
);
const bytes = (text: string) => new Uint8Array(Buffer.from(text, "base64"));

/** The largest difference from Pillow, in grey levels, of files that are decoded by other libraries than Pillow's. */
const tolerance: Record<string, number> = { "waves.avif": 9 };

describe("decodeImage", () => {
  it.each(Object.keys(golden))("reads %s as Pillow does", async (name) => {
    const { file, width, height, rgb } = golden[name]!;
    const image = await decodeImage(bytes(file));
    expect([image.width, image.height]).toEqual([width, height]);
    const expected = bytes(rgb);
    expect(image.data.length).toBe(expected.length);
    const largest = Math.max(...image.data.map((value, i) => Math.abs(value - expected[i]!)));
    expect(largest).toBeLessThanOrEqual(tolerance[name] ?? 0);
  });

  it("keeps the upper 8 of 16 grey bits, where Pillow cuts off at 255", async () => {
    const values = Uint16Array.from({ length: 12 }, (_, i) => i * 5000 + 77);
    const file = await sharp(values, { raw: { width: 4, height: 3, channels: 1, depth: "ushort" } as never })
      .toColourspace("grey16")
      .png()
      .toBuffer();
    const { data } = await decodeImage(file);
    expect([...data].filter((_, i) => i % 3 === 0)).toEqual([...values].map((value) => value >> 8));
  });

  it("drops alpha by default, and lays the image over a background by option", async () => {
    const raw = Uint8Array.from([200, 100, 50, 0, 200, 100, 50, 128, 10, 20, 30, 255]);
    const file = await sharp(raw, { raw: { width: 3, height: 1, channels: 4 } })
      .png()
      .toBuffer();
    const dropped = await decodeImage(file);
    expect([...dropped.data]).toEqual([200, 100, 50, 200, 100, 50, 10, 20, 30]);
    const over = await decodeImage(file, { background: [255, 0, 255] });
    const half = [200, 100, 50].map((value, i) => Math.round((value * 128 + [255, 0, 255][i]! * 127) / 255));
    expect([...over.data]).toEqual([255, 0, 255, ...half, 10, 20, 30]);
  });

  it("refuses an image above maxPixels before it is decoded", async () => {
    const file = bytes(golden["rgb.png"]!.file);
    await expect(decodeImage(file, { maxPixels: 116 })).rejects.toThrow(
      "decodeImage: the image has 13 x 9 = 117 pixels, more than maxPixels 116",
    );
    await expect(decodeImage(file, { maxPixels: 117 })).resolves.toMatchObject({ width: 13 });
  });

  it("refuses a side that no photo has", async () => {
    // maxPixels lets it pass, and the filters that resize it would fill the memory.
    const create = { width: 2 ** 20 + 1, height: 1, channels: 3, background: "red" } as const;
    await expect(decodeImage(await sharp({ create }).png().toBuffer())).rejects.toThrow(
      "decodeImage: the image has a side of 1048577 pixels, more than 1048576",
    );
  });

  it("names bytes that are no image, and options that it does not know", async () => {
    await expect(decodeImage(new TextEncoder().encode("<html>oops"))).rejects.toThrow(
      /^decodeImage: the image is not a JPEG, PNG, .* \(it begins with 3c 68 74 6d 6c 3e 6f 6f\)$/,
    );
    await expect(decodeImage(new Uint8Array())).rejects.toThrow("decodeImage: the image is empty");
    await expect(decodeImage(new Uint8Array(), { white: true } as never)).rejects.toThrow(
      /unknown option "white"/,
    );
    await expect(decodeImage("photo.jpg" as never)).rejects.toThrow(
      /bytes must be a Uint8Array, got "photo.jpg"/,
    );
    await expect(decodeImage(new Uint8Array(), { background: [0, 0, 256] })).rejects.toThrow(
      /background\[2\]/,
    );
  });

  it.each(["rgb.png", "quality-75.jpg", "lossy.webp", "waves.avif", "palette.gif", "rgb.tif"])(
    "refuses %s when it is cut short, on one line",
    async (name) => {
      const whole = bytes(golden[name]!.file);
      const error = await decodeImage(whole.subarray(0, Math.floor(whole.length * 0.6))).catch((e) => e);
      expect(error.message).toMatch(/^decodeImage: the image cannot be decoded: [^\n]+$/);
    },
  );

  it("gives an image or an error of one line for any damage", async () => {
    const damage = fc.record({
      name: fc.constantFrom(...Object.keys(golden)),
      at: fc.nat(),
      value: fc.nat(255),
      length: fc.double({ min: 0.3, max: 1, noNaN: true }),
    });
    await fc.assert(
      fc.asyncProperty(damage, async ({ name, at, value, length }) => {
        const whole = bytes(golden[name]!.file);
        const file = whole.slice(0, Math.ceil(whole.length * length));
        file[at % file.length] = value;
        const result = await decodeImage(file, { maxPixels: 10_000 }).catch((error: Error) => error);
        if (result instanceof Error) expect(result.message).toMatch(/^decodeImage: the image [^\n]+$/);
        else expect(result.data.length).toBe(result.width * result.height * 3);
      }),
      { numRuns: 300 },
    );
  });
});
