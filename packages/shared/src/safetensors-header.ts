import { parseJson } from "./json.js";
import { shown } from "./shown.js";

/** Bytes per element of the dtypes that can be read. */
export const dtypeBytes = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
} as const;

/** The dtypes that can be read. Written are F32 (or F16 or BF16 on request), I32 and BOOL. */
export type SafetensorsDtype = keyof typeof dtypeBytes;

/** A tensor as a safetensors header describes it. */
export interface SafetensorsInfo {
  dtype: SafetensorsDtype;
  shape: number[];
  /** First and past-the-last byte in the data section. */
  data_offsets: [number, number];
}

export interface SafetensorsHeader {
  tensors: Map<string, SafetensorsInfo>;
  metadata: Record<string, string>;
}

/** The reference implementation's limit, in bytes: a longer header is not one. */
export const largestHeader = 100_000_000;
/** The largest model folders hold some 100,000 tensors in all their shards. */
const mostTensors = 1_000_000;
/** A header is an object of objects of lists. */
const headerDepth = 3;
/** More axes than tfjs or PyTorch's operators take. */
const mostAxes = 16;

/** Reads and checks the header's length, from the first eight bytes of a file of `fileBytes`. */
export function checkHeaderLength(prefix: Uint8Array, fileBytes: number, source: string): number {
  if (prefix.byteLength < 8) {
    throw new Error(`${source}: truncated, expected at least 8 bytes, got ${prefix.byteLength}`);
  }
  const length = Number(new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true));
  if (length > fileBytes - 8) {
    throw new Error(
      `${source}: truncated or no safetensors file, expected a header of ${length} bytes, got ${fileBytes - 8}`,
    );
  }
  if (length > largestHeader) {
    throw new Error(
      `${source}: no safetensors file, expected a header of at most ${largestHeader} bytes, got ${length}`,
    );
  }
  return length;
}

/** Checks and returns a header; `dataBytes` is the size of the data section, which the tensors must fill exactly. */
export function parseHeader(bytes: Uint8Array, dataBytes: number, source: string): SafetensorsHeader {
  let parsed: unknown;
  try {
    parsed = parseJson(bytes, { depth: headerDepth });
  } catch (error) {
    throw new Error(`${source}: expected its header to be JSON (${(error as Error).message})`, {
      cause: error,
    });
  }
  if (!isObject(parsed)) {
    throw new Error(`${source}: expected its header to be a JSON object, got ${shown(parsed)}`);
  }
  // Other readers refuse a byte order mark, and space before it.
  if (bytes[0] !== 0x7b) throw new Error(`${source}: expected its header to begin with "{"`);
  const entries = Object.entries(parsed);
  if (entries.length > mostTensors) {
    throw new Error(`${source}: expected at most ${mostTensors} tensors, got ${entries.length}`);
  }
  let metadata: Record<string, string> = {};
  const tensors = new Map<string, SafetensorsInfo>();
  for (const [name, entry] of entries) {
    if (name === "__metadata__") metadata = checkMetadata(entry, source);
    else tensors.set(name, checkInfo(name, entry, source));
  }
  checkLayout(tensors, dataBytes, source);
  return { tensors, metadata };
}

/** @throws where `__metadata__` is not an object of strings. */
export function checkMetadata(entry: unknown, source: string): Record<string, string> {
  if (!isObject(entry) || Object.values(entry).some((value) => typeof value !== "string")) {
    throw new Error(`${source}: expected __metadata__ to be an object of strings, got ${shown(entry)}`);
  }
  return entry as Record<string, string>;
}

function checkInfo(name: string, entry: unknown, source: string): SafetensorsInfo {
  const fail = (expected: string, got: unknown): never => {
    throw new Error(`${source}: tensor ${shown(name)}: expected ${expected}, got ${shown(got)}`);
  };
  if (!isObject(entry)) return fail("dtype, shape and data_offsets", entry);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== "string" || !Object.hasOwn(dtypeBytes, dtype)) {
    return fail(`dtype to be one of ${Object.keys(dtypeBytes).join(", ")}`, dtype);
  }
  if (!isSizes(shape)) return fail("shape to be an array of sizes", shape);
  if (shape.length > mostAxes) return fail(`shape to have at most ${mostAxes} axes`, shape);
  if (!isSizes(offsets) || offsets.length !== 2) return fail("data_offsets to be [begin, end]", offsets);
  const info = { dtype, shape, data_offsets: offsets } as SafetensorsInfo;
  const needed = shape.reduce((size, length) => size * length, 1) * dtypeBytes[info.dtype];
  const span = offsets[1]! - offsets[0]!;
  if (span !== needed) {
    throw new Error(
      `${source}: tensor ${shown(name)}: expected ${needed} bytes for ${dtype} of shape [${shape}], got data_offsets [${offsets}] (${span} bytes)`,
    );
  }
  return info;
}

/** The tensors fill the data section end to end: an overlap, a hole or a missing end means that the file is not whole. */
function checkLayout(tensors: Map<string, SafetensorsInfo>, dataBytes: number, source: string): void {
  const inOrder = [...tensors].sort(
    ([, { data_offsets: a }], [, { data_offsets: b }]) => a[0] - b[0] || a[1] - b[1],
  );
  let position = 0;
  for (const [index, [name, { data_offsets: offsets }]] of inOrder.entries()) {
    if (offsets[0] !== position) {
      const before =
        index > 0 ? `the end of tensor ${shown(inOrder[index - 1]![0])}` : "the start of the data";
      const what = offsets[0] < position ? "overlaps another tensor" : "leaves a hole";
      throw new Error(
        `${source}: tensor ${shown(name)} ${what}, expected it to begin at ${position}, ${before}, got ${offsets[0]}`,
      );
    }
    position = offsets[1];
    if (position > dataBytes) {
      throw new Error(
        `${source}: truncated, tensor ${shown(name)} expected ${position} bytes of data, got ${dataBytes}`,
      );
    }
  }
  if (position !== dataBytes) {
    throw new Error(`${source}: expected ${position} bytes of data after the header, got ${dataBytes}`);
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
