import { expect, it } from "vitest";
import { crc32c } from "./crc-32c.js";

it.each([
  // RFC 3720, appendix B.4.
  ["32 zeros", new Uint8Array(32), 0x8a9136aa],
  ["32 bytes of ones", new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ["0 to 31", Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
  ["31 to 0", Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
  ["nothing", new Uint8Array(0), 0],
])("is that of RFC 3720 for %s", (_, data, expected) => {
  expect(crc32c(data)).toBe(expected);
});
