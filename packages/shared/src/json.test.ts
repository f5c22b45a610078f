import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseJson } from "./json.js";

const parse = (text: string, depth?: number) =>
  parseJson(new TextEncoder().encode(text), depth === undefined ? {} : { depth });

describe("parseJson", () => {
  it("gives what JSON.parse gives", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.constantFrom(undefined, 1, "\t"), (value, space) => {
        const text = JSON.stringify(value, null, space);
        expect(parse(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it.each([
    ['{"a":1,"a":2}', 'key "a" is there twice'],
    ['{"a":{"b":1,"c":{"d":1},"b":2}}', 'key "b" is there twice'],
    [`{"a":1,"${String.raw`\u0061`}":2}`, 'key "a" is there twice'],
    ['[{"x" : [] , "x"\n:{}}]', 'key "x" is there twice'],
    [`${"[".repeat(65)}${"]".repeat(65)}`, "nested more than 64 deep"],
    [`${'{"a":'.repeat(1e6)}`, "nested more than 64 deep"],
    ["", "Unexpected end of JSON input"],
    ['{"a":"', "Unterminated string"],
    ["{a:1}", "JSON"],
  ])("refuses %.40s", (text, message) => {
    expect(() => parse(text)).toThrow(message);
  });

  it("lets one key be in several objects, and text look like keys", () => {
    const text = '[{"a":{"a":"a\\":"},"b":["a","a"]},{"a":"{\\"a\\":1,\\"a\\":2}"}]';
    expect(parse(text, 3)).toEqual(JSON.parse(text));
  });

  it("reads the infinities that Python writes, outside strings only", () => {
    expect(parse('{"Infinity": [-Infinity, Infinity,1], "a": "-Infinity, \\"Infinity"}')).toEqual({
      Infinity: [-Infinity, Infinity, 1],
      a: '-Infinity, "Infinity',
    });
    for (const text of ["1Infinity", "Infinity1", "xInfinity", '"Infinity'])
      expect(() => parse(text)).toThrow();
  });

  it("refuses bytes that are no UTF-8", () => {
    expect(() => parseJson(new Uint8Array([0x22, 0xff, 0x22]))).toThrow("not UTF-8");
  });
});
