import { expect, it } from "vitest";
import { imageURL } from "./image-url.js";

it("knows the four kinds by their first bytes", () => {
  for (const [kind, bytes] of [
    ["jpeg", [0xff, 0xd8, 0xff, 0xe0]],
    ["png", [0x89, 0x50, 0x4e, 0x47]],
    ["gif", [...Buffer.from("GIF89a")]],
    ["webp", [...Buffer.from("RIFF....WEBP")]],
  ] as const) {
    const content = Uint8Array.from(bytes);
    expect(imageURL("image", content)).toBe(
      `data:image/${kind};base64,${Buffer.from(content).toString("base64")}`,
    );
  }
  expect(imageURL("image", "data:image/png;base64,AAAA")).toBe("data:image/png;base64,AAAA");
});

it("refuses what is none of them, with its name", () => {
  for (const other of [Uint8Array.of(0x42, 0x4d), Uint8Array.of(), "http://example.org/a.png", "text", 3]) {
    expect(() => imageURL("questions[2].image", other as never)).toThrow("questions[2].image");
  }
});
