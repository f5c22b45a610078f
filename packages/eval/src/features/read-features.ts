import { checkOptions, describe } from "../shared/check-options.js";
import { bfloat16ToFloat32Array, float16ToFloat32Array } from "../shared/half-floats.js";
import { parseJson } from "../shared/json.js";
import { openRegularFile, readInto } from "../shared/regular-file.js";
import {
  checkHeaderLength,
  parseHeader,
  type SafetensorsDtype,
  type SafetensorsHeader,
} from "../shared/safetensors-header.js";
import { shown } from "../shared/shown.js";

/** A safetensors file: its path (Node), or its content. */
export type SafetensorsFile = string | ArrayBuffer | Uint8Array;

export interface ReadFeaturesOptions {
  /** The tensor's name. Default `"features"`, or the only one that there is. */
  tensor?: string;
}

/** Features of a file, which every function that takes features takes. */
export interface SavedFeatures {
  data: Float32Array;
  /** `[n, dim]` */
  shape: [number, number];
  /** The names of the rows, where the file has them as `dcr encode` writes them. */
  names?: string[];
}

/**
 * Reads features of a safetensors file, such as `dcr encode` and Python's `save_file({"features": x}, ...)` write. Only the one tensor is
 * read; float16, bfloat16, float64 and integers become float32.
 *
 * @param file its path (Node), or its content
 * @throws naming the file and what is wrong with it, and where it has no such tensor `[n, dim]`
 *
 * @example
 * const { names, ...features } = await readFeatures("features.safetensors");
 * const labels = names.map((name) => name.split("/")[0]);
 * const accuracy = await nearestNeighbourAccuracy(features, labels, { k: 5 });
 */
export async function readFeatures(
  file: SafetensorsFile,
  options?: ReadFeaturesOptions,
): Promise<SavedFeatures> {
  const { tensor } = checkOptions("readFeatures", options, { tensor: true });
  if (tensor !== undefined && typeof tensor !== "string") {
    throw new TypeError(`readFeatures: tensor must be a name, got ${describe(tensor)}`);
  }
  return readSavedFeatures("readFeatures", file, tensor);
}

/** {@link readFeatures}, with the argument's name for errors. */
export async function readSavedFeatures(
  name: string,
  file: SafetensorsFile,
  tensor?: string,
): Promise<SavedFeatures> {
  const opened = await openBytes(name, file);
  const source = `${name}: ${typeof file === "string" ? file : "safetensors"}`;
  try {
    const length = checkHeaderLength(await opened.read(0, Math.min(8, opened.size)), opened.size, source);
    const header = parseHeader(await opened.read(8, length), opened.size - 8 - length, source);
    const { dtype, shape, data_offsets: offsets } = chosen(header, source, tensor);
    const bytes = await opened.read(8 + length + offsets[0], offsets[1] - offsets[0]);
    const names = rowNames(header, source, shape[0]);
    return { data: decoders[dtype](bytes.buffer), shape, ...(names && { names }) };
  } finally {
    await opened.close();
  }
}

interface OpenBytes {
  size: number;
  /** A copy that begins its buffer, as wide elements need it. */
  read(from: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  close(): Promise<void>;
}

async function openBytes(name: string, file: SafetensorsFile): Promise<OpenBytes> {
  if (typeof file === "string") {
    const { file: handle, size } = await openRegularFile(file).catch((error: Error) => {
      throw new Error(`${name}: ${error.message}`, { cause: error });
    });
    const read = async (from: number, length: number) => {
      const bytes = new Uint8Array(length);
      await readInto(handle, bytes, from, file);
      return bytes;
    };
    return { size, read, close: () => handle.close() };
  }
  if (!(file instanceof ArrayBuffer) && !(file instanceof Uint8Array)) {
    throw new TypeError(`${name}: expected a safetensors file's path or content, got ${describe(file)}`);
  }
  const bytes = file instanceof Uint8Array ? file : new Uint8Array(file);
  return {
    size: bytes.length,
    // A Buffer's slice would be a view.
    read: async (from, length) => new Uint8Array(bytes.subarray(from, from + length)),
    close: async () => {},
  };
}

function chosen({ tensors }: SafetensorsHeader, source: string, wanted?: string) {
  const names = [...tensors.keys()];
  const name = wanted ?? (tensors.has("features") ? "features" : names.length === 1 ? names[0] : undefined);
  const info = name === undefined ? undefined : tensors.get(name);
  if (name === undefined || info === undefined) {
    const known = names.length > 5 ? [...names.slice(0, 5), `${names.length - 5} more`] : names;
    const has = known.length === 0 ? "no tensors" : `the tensors ${known.map(shown).join(", ")}`;
    throw new Error(`${source}: expected a tensor ${shown(wanted ?? "features")}, got ${has}`);
  }
  const { shape } = info;
  if (shape.length !== 2 || shape[0] === 0 || shape[1] === 0) {
    throw new Error(
      `${source}: tensor ${shown(name)} must be [n, dim], n and dim at least 1, got [${shape}]`,
    );
  }
  return { ...info, shape: shape as [number, number] };
}

/** The names that `dcr encode` writes. @throws where they are something else */
function rowNames({ metadata }: SafetensorsHeader, source: string, rows: number): string[] | undefined {
  if (metadata.names === undefined) return undefined;
  let names: unknown;
  try {
    names = parseJson(new TextEncoder().encode(metadata.names), { depth: 1 });
  } catch {
    names = undefined;
  }
  if (!Array.isArray(names) || names.length !== rows || names.some((name) => typeof name !== "string")) {
    throw new Error(
      `${source}: metadata names must be a JSON list of ${rows} texts, one for each row, got ${shown(metadata.names)}`,
    );
  }
  return names;
}

const decoders: Record<SafetensorsDtype, (bytes: ArrayBuffer) => Float32Array> = {
  F64: (bytes) => Float32Array.from(new Float64Array(bytes)),
  F32: (bytes) => new Float32Array(bytes),
  F16: (bytes) => float16ToFloat32Array(new Uint16Array(bytes)),
  BF16: (bytes) => bfloat16ToFloat32Array(new Uint16Array(bytes)),
  I64: (bytes) => Float32Array.from(new BigInt64Array(bytes), Number),
  I32: (bytes) => Float32Array.from(new Int32Array(bytes)),
  I16: (bytes) => Float32Array.from(new Int16Array(bytes)),
  I8: (bytes) => Float32Array.from(new Int8Array(bytes)),
  U64: (bytes) => Float32Array.from(new BigUint64Array(bytes), Number),
  U32: (bytes) => Float32Array.from(new Uint32Array(bytes)),
  U16: (bytes) => Float32Array.from(new Uint16Array(bytes)),
  U8: (bytes) => Float32Array.from(new Uint8Array(bytes)),
  BOOL: (bytes) => Float32Array.from(new Uint8Array(bytes)),
};
