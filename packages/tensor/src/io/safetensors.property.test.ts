import "@tensorflow/tfjs-backend-cpu";
import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { bfloat16ToNumber, float16ToNumber } from "../shared/half-floats.js";
import type { SafetensorsDtype } from "../shared/safetensors-header.js";
import { parseSafetensors, serializeSafetensors } from "./safetensors.js";

beforeAll(() => tf.setBackend("cpu"));

const int32 = { min: -(2n ** 31n), max: 2n ** 31n - 1n };

/** For each dtype: values, the bytes that hold them, and the values that must be read. */
const stored: Record<
  SafetensorsDtype,
  {
    value: fc.Arbitrary<number | bigint>;
    bytes: (values: never[]) => ArrayBufferView;
    read?: (value: never) => number;
  }
> = {
  F64: { value: fc.double(), bytes: (v) => Float64Array.from(v), read: Math.fround },
  F32: { value: fc.float(), bytes: (v) => Float32Array.from(v) },
  F16: { value: fc.nat(0xffff), bytes: (v) => Uint16Array.from(v), read: float16ToNumber },
  BF16: { value: fc.nat(0xffff), bytes: (v) => Uint16Array.from(v), read: bfloat16ToNumber },
  I64: { value: fc.bigInt(int32), bytes: (v) => BigInt64Array.from(v) },
  I32: { value: fc.integer(), bytes: (v) => Int32Array.from(v) },
  I16: { value: fc.integer({ min: -32768, max: 32767 }), bytes: (v) => Int16Array.from(v) },
  I8: { value: fc.integer({ min: -128, max: 127 }), bytes: (v) => Int8Array.from(v) },
  U64: { value: fc.bigInt({ min: 0n, max: int32.max }), bytes: (v) => BigUint64Array.from(v) },
  U32: { value: fc.nat(), bytes: (v) => Uint32Array.from(v) },
  U16: { value: fc.nat(0xffff), bytes: (v) => Uint16Array.from(v) },
  U8: { value: fc.nat(255), bytes: (v) => Uint8Array.from(v) },
  BOOL: { value: fc.nat(1), bytes: (v) => Uint8Array.from(v) },
};

/** A file of one tensor, written by hand. */
function fileOf(dtype: string, shape: number[], { buffer }: ArrayBufferView): ArrayBuffer {
  const entry = { dtype, shape, data_offsets: [0, buffer.byteLength] };
  const header = new TextEncoder().encode(JSON.stringify({ w: entry }));
  const bytes = new Uint8Array(8 + header.length + buffer.byteLength);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
  bytes.set(header, 8);
  bytes.set(new Uint8Array(buffer), 8 + header.length);
  return bytes.buffer;
}

const shape = fc.array(fc.nat(4), { maxLength: 4 });
const name = fc.oneof(
  fc.string({ unit: "grapheme" }).filter((text) => text !== "__metadata__"),
  fc.constantFrom("", "__proto__", "constructor", "10", "layers.0.weight"),
);
const elements: Record<"float32" | "int32" | "bool", fc.Arbitrary<number>> = {
  float32: fc.float(),
  int32: fc.integer(),
  bool: fc.nat(1),
};
const tensor = fc
  .tuple(shape, fc.constantFrom("float32" as const, "int32" as const, "bool" as const))
  .chain(([sizes, dtype]) => {
    const size = tf.util.sizeFromShape(sizes);
    return fc
      .array(elements[dtype], { minLength: size, maxLength: size })
      .map((values) => ({ shape: sizes, dtype, values }));
  });
const dictionary = fc.uniqueArray(fc.tuple(name, tensor), { selector: ([key]) => key, maxLength: 6 });

describe("parseSafetensors", () => {
  it.each(Object.keys(stored) as SafetensorsDtype[])("reads any %s that its dtype here can hold", (dtype) => {
    const { value, bytes, read = Number } = stored[dtype];
    fc.assert(
      fc.property(fc.array(value, { maxLength: 20 }), (values) => {
        const { w } = parseSafetensors(fileOf(dtype, [values.length], bytes(values as never[])));
        try {
          expectClose(w, (values as never[]).map(read));
        } finally {
          w.dispose();
        }
      }),
    );
  });

  it.each([
    ["I64", fc.bigInt({ min: -(2n ** 63n), max: int32.min - 1n }), BigInt64Array],
    ["I64", fc.bigInt({ min: int32.max + 1n, max: 2n ** 63n - 1n }), BigInt64Array],
    ["U64", fc.bigInt({ min: int32.max + 1n, max: 2n ** 64n - 1n }), BigUint64Array],
    ["U32", fc.integer({ min: 2 ** 31, max: 2 ** 32 - 1 }), Uint32Array],
  ] as const)("refuses %s values beyond int32", (dtype, value, Type) => {
    fc.assert(
      fc.property(value as fc.Arbitrary<never>, (word) => {
        expect(() => parseSafetensors(fileOf(dtype, [1], Type.of(word)))).toThrow(
          `tensor "w": expected ${dtype} values that int32 can hold, got ${word}`,
        );
      }),
    );
  });

  it("meets no bytes that crash it otherwise than with an error of its own, and leaks nothing then", () => {
    const before = tf.memory().numTensors;
    const whole = new Uint8Array(fileOf("F32", [2, 3], new Float32Array(6)));
    const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { maxLength: 4 }), fc.nat(whole.length), (changes, length) => {
        const bytes = whole.slice(0, length);
        for (const [at, value] of changes) bytes[at % Math.max(1, length)] = value;
        try {
          tf.dispose(parseSafetensors(bytes.buffer, "broken"));
        } catch (error) {
          expect((error as Error).message).toMatch(/^broken: /);
        }
        expect(tf.memory().numTensors).toBe(before);
      }),
      { numRuns: 1000 },
    );
  });
});

/** Headers that are nearly right: each part is now and then something else. */
const anything = fc.jsonValue({ maxDepth: 5 });
const or = <T>(usual: fc.Arbitrary<T>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 6, arbitrary: usual }, anything);
const hostileSize = fc.oneof(fc.nat(3), fc.constantFrom(-1, 0.5, 2 ** 31, 2 ** 53 - 1, 1e300));
const hostileEntry = or(
  fc.record(
    {
      dtype: or(fc.constantFrom(...Object.keys(stored), "F8_E5M2", "__proto__", "toString")),
      shape: or(fc.array(or(hostileSize), { maxLength: 20 })),
      data_offsets: or(fc.array(or(fc.oneof(fc.constantFrom(0, 4, 8, 16), hostileSize)), { maxLength: 3 })),
    },
    { requiredKeys: [] },
  ),
);
const hostileHeader = or(
  fc.dictionary(fc.oneof(fc.constantFrom("w", "v", "__metadata__", "__proto__"), fc.string()), hostileEntry),
).map((value) => JSON.stringify(value));
/** Text that is put in, and taken out, anywhere. */
const damage = fc.tuple(
  fc.nat(),
  fc.nat(2),
  fc.constantFrom("", "{", "[", "]", '"', "\\", ":", ",", '"w":1,', "\u0000", "9"),
);

describe("parseSafetensors on hostile headers", () => {
  it("gives tensors, or one short line that begins with the file, and leaks nothing", () => {
    const before = tf.memory().numTensors;
    fc.assert(
      fc.property(
        hostileHeader,
        fc.array(damage, { maxLength: 3 }),
        fc.nat(20),
        (text, damages, dataBytes) => {
          let json = text;
          for (const [at, removed, inserted] of damages) {
            const place = at % (json.length + 1);
            json = json.slice(0, place) + inserted + json.slice(place + removed);
          }
          const header = new TextEncoder().encode(json);
          const bytes = new Uint8Array(8 + header.length + dataBytes);
          new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
          bytes.set(header, 8);
          try {
            tf.dispose(parseSafetensors(bytes, "hostile"));
          } catch (error) {
            expect((error as Error).message).toMatch(/^hostile: [^\n]{1,500}$/);
          }
          expect(tf.memory().numTensors).toBe(before);
        },
      ),
      { numRuns: 5000 },
    );
  });
});

describe("serializeSafetensors", () => {
  it("writes what parseSafetensors gives back, for any names, shapes, dtypes and values", async () => {
    await expectNoLeaks(() =>
      fc.assert(
        fc.asyncProperty(dictionary, async (entries) => {
          const dict = Object.fromEntries(
            entries.map(([key, { values, shape: sizes, dtype }]) => [key, tf.tensor(values, sizes, dtype)]),
          );
          const bytes = await serializeSafetensors(dict);
          expect(new DataView(bytes.buffer).getUint32(0, true) % 8).toBe(0);
          const back = parseSafetensors(bytes.buffer);
          try {
            expect(Object.keys(back).sort()).toEqual(Object.keys(dict).sort());
            for (const key of Object.keys(dict)) {
              expect(back[key].dtype).toBe(dict[key].dtype);
              expectClose(back[key], dict[key]);
            }
          } finally {
            tf.dispose([dict, back]);
          }
        }),
      ),
    );
  });

  it.each([
    ["F16", 2 ** -11, 2 ** -25, 65504],
    ["BF16", 2 ** -8, 2 ** -134, 3.3e38],
  ] as const)(
    "rounds to %s by at most half a unit in the last place",
    async (dtype, relative, absolute, max) => {
      const limit = Math.fround(max);
      const inRange = fc.float({ min: -limit, max: limit, noNaN: true });
      const special = fc.constantFrom(Number.NaN, Infinity, -Infinity, 0, -0);
      await fc.assert(
        fc.asyncProperty(fc.array(fc.oneof(inRange, special), { maxLength: 20 }), async (values) => {
          const w = tf.tensor1d(values, "float32");
          const back = parseSafetensors((await serializeSafetensors({ w }, { dtype })).buffer);
          try {
            expectClose(back["w"], values, { relative, absolute });
            const negative = (v: number) => v < 0 || Object.is(v, -0);
            expect(Array.from(back["w"].dataSync(), negative)).toEqual(values.map(negative));
          } finally {
            tf.dispose([w, back]);
          }
        }),
      );
    },
  );
});
