/** Conversions between numbers and the bits of 16-bit floating point: IEEE 754 binary16 and bfloat16. */

const scratch = new DataView(new ArrayBuffer(4));

export function bfloat16ToNumber(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}

/** Rounds a float32 value to the nearest bfloat16, ties to even; what is too large becomes an infinity. */
export function numberToBfloat16(value: number): number {
  if (Number.isNaN(value)) return 0x7fc0;
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  // Half a unit of the last place, less one where that place is even; a carry runs into the exponent, as it should.
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

export function float16ToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Rounds a float32 value to the nearest binary16, ties to even; what is too large becomes an infinity. */
export function numberToFloat16(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = Math.abs(value);
  if (magnitude >= 65520) return sign | 0x7c00;
  if (magnitude < 2 ** -14) return sign | roundHalfEven(magnitude * 2 ** 24);
  const exponent = ((bits >>> 23) & 255) - 127;
  // A fraction that rounds up to 1024 carries into the exponent, as it should.
  return sign | (((exponent + 15) << 10) + roundHalfEven((magnitude / 2 ** exponent - 1) * 1024));
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

export function bfloat16ToFloat32Array(words: Uint16Array): Float32Array<ArrayBuffer> {
  const bits = new Uint32Array(words.length);
  for (let i = 0; i < words.length; i++) bits[i] = words[i]! << 16;
  return new Float32Array(bits.buffer);
}

/** Every binary16 as a number; made when it is first needed. */
let numbers: Float32Array | undefined;

export function float16ToFloat32Array(halves: Uint16Array): Float32Array<ArrayBuffer> {
  numbers ??= Float32Array.from({ length: 65536 }, (_, bits) => float16ToNumber(bits));
  const values = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) values[i] = numbers[halves[i]!]!;
  return values;
}

/** Each value rounded as `numberToFloat16` does. */
export function float32ToFloat16Array(values: Float32Array): Uint16Array<ArrayBuffer> {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < words.length; i++) {
    const bits = words[i]!;
    const exponent = (bits >>> 23) & 255;
    // Integer arithmetic suffices for a value that is normal as a binary16 and does not round up to an infinity.
    halves[i] =
      exponent > 112 && exponent < 142
        ? ((bits >>> 16) & 0x8000) |
          (((bits & 0x7fffffff) - (112 << 23) + 0xfff + ((bits >>> 13) & 1)) >>> 13)
        : numberToFloat16(values[i]!);
  }
  return halves;
}

/** Whether rounding to binary16 changes none of the values. */
export const areHalves = (values: Float32Array): boolean =>
  float16ToFloat32Array(float32ToFloat16Array(values)).every((value, i) => Object.is(value, values[i]));
