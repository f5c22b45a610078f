import { type FileHandle, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { checkNumber, checkOptions, checkText, describe } from "../shared/check-options.js";
import { crc32c } from "./crc-32c.js";

/** Scalars of one step, as TensorBoard shows them. */
export interface ScalarEvent {
  /** Seconds since 1970. */
  at: number;
  step: number;
  /** By tag, such as `"stage2/loss"`. */
  scalars: Record<string, number>;
}

/** A file of TensorBoard events, open for writing. */
export interface EventFile {
  /** @throws on a step that is no integer of at least 0, and naming a scalar that is no number; nothing is written then */
  append(event: ScalarEvent): Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts a TensorBoard event file anew; Node only. TensorBoard finds it by its name, `events.out.tfevents.` and what follows.
 *
 * @param startedAt seconds since 1970, for the file's first record
 *
 * @example
 * const file = await createEventFile("runs/events.out.tfevents.1", Date.now() / 1000);
 * await file.append({ at: Date.now() / 1000, step, scalars: toScalars(measures) });
 * await file.close();
 */
export async function createEventFile(path: string, startedAt: number): Promise<EventFile> {
  checkText("createEventFile: path", path);
  checkNumber("createEventFile: startedAt", startedAt);
  await mkdir(dirname(path), { recursive: true });
  const file: FileHandle = await open(path, "w");
  const version = text(3, "brain.Event:2");
  await file.appendFile(record(Buffer.concat([double(1, startedAt), version])));
  return {
    append: async (event) => {
      checkEvent(event);
      await file.appendFile(record(encodeEvent(event)));
    },
    close: () => file.close(),
  };
}

/** Checks an event. A value may be NaN or infinite, as a run's loss may; TensorBoard shows it. */
function checkEvent(event: ScalarEvent): void {
  const { at, step, scalars } = checkOptions<ScalarEvent>("EventFile.append", event, {
    at: true,
    step: true,
    scalars: true,
  });
  checkNumber("EventFile.append: at", at);
  checkNumber("EventFile.append: step", step, { min: 0, integer: true });
  if (typeof scalars !== "object") {
    throw new TypeError(`EventFile.append: scalars must hold numbers by tag, got ${describe(scalars)}`);
  }
  for (const [tag, value] of Object.entries(scalars)) {
    if (typeof value === "number") continue;
    throw new TypeError(
      `EventFile.append: scalars[${JSON.stringify(tag)}] must be a number, got ${describe(value)}`,
    );
  }
}

/** `tensorflow.Event` with a summary, in protocol buffers' wire format (tensorflow/core/util/event.proto). */
function encodeEvent({ at, step, scalars }: ScalarEvent): Buffer {
  const values = Object.entries(scalars).map(([tag, value]) =>
    bytes(1, Buffer.concat([text(1, tag), float(2, value)])),
  );
  return Buffer.concat([double(1, at), varintField(2, step), bytes(5, Buffer.concat(values))]);
}

/** Wire types of protocol buffers. */
const wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 };

const key = (field: number, type: number) => Buffer.of((field << 3) | type);

function varint(value: number): Buffer {
  const parts: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) parts.push((rest % 128) | 128);
  return Buffer.from([...parts, rest]);
}

function double(field: number, value: number): Buffer {
  const data = Buffer.alloc(8);
  data.writeDoubleLE(value);
  return Buffer.concat([key(field, wire.fixed64), data]);
}

function float(field: number, value: number): Buffer {
  const data = Buffer.alloc(4);
  data.writeFloatLE(value);
  return Buffer.concat([key(field, wire.fixed32), data]);
}

/** Protocol buffers leave a zero out. */
const varintField = (field: number, value: number) =>
  value === 0 ? Buffer.alloc(0) : Buffer.concat([key(field, wire.varint), varint(value)]);
const bytes = (field: number, data: Buffer) =>
  Buffer.concat([key(field, wire.bytes), varint(data.length), data]);
const text = (field: number, value: string) => bytes(field, Buffer.from(value));

/** A TFRecord: length, its checksum, the data, its checksum (tensorflow/core/lib/io/record_writer.h). */
function record(data: Buffer): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(data.length));
  return Buffer.concat([length, maskedChecksum(length), data, maskedChecksum(data)]);
}

/** CRC-32C, rotated right by 15 bits and shifted, so that a checksum of data with checksums in it is not weak. */
function maskedChecksum(data: Buffer): Buffer {
  const crc = crc32c(data);
  const masked = (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
  const encoded = Buffer.alloc(4);
  encoded.writeUInt32LE(masked);
  return encoded;
}
