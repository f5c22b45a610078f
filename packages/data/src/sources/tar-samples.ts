import type { Readable } from "node:stream";
import type { TarHeader } from "modern-tar";
import { imageExtensions } from "../decode/image-format.js";
import { parseJson } from "../shared/json.js";
import { nodeModule } from "../shared/node-modules.js";
import { shown } from "../shared/shown.js";
import type { ImageEntry } from "./dataset.js";
import { type Log, SkippedFiles } from "./skipped-files.js";

/** A file of an archive. */
interface Member {
  name: string;
  /** Left out where it is not wanted or there is too much of it, so that it is not held in memory. */
  data?: Uint8Array;
  /** Why there is no data, as a sample's fault. */
  fault?: string;
}

/** Members that are skipped, by their type in the archive. The target of a link may be in another sample, or in no shard. */
const others: Record<string, string> = {
  symlink: "symbolic links",
  link: "hard links",
  fifo: "pipes",
  "character-device": "devices",
  "block-device": "devices",
};

/** A member above this is no training image, and a text above that no caption; their sample counts as broken. */
const maxMemberBytes = 2 ** 29;
const maxTextBytes = 2 ** 20;

/** Endings of the members that are read beside images. */
const textExtensions = ["txt", "caption", "json", "cls"];

/**
 * The samples of a WebDataset shard: members that follow each other and share their name up to the first dot. The image is the
 * member with an image's ending; `txt` or `caption`, or `json`'s "caption", is the caption; `cls`, or `json`'s "label", the label.
 *
 * @throws where the archive is cut short or is no tar, with its name
 */
export async function* tarSamples(file: string, shardName: string, log: Log): AsyncGenerator<ImageEntry> {
  const skipped = new SkippedFiles();
  let key = "";
  let members = new Map<string, Member>();
  const finish = (): ImageEntry | undefined => {
    if (members.size === 0) return undefined;
    const entry = sampleEntry(`${shardName}/${key}`, members);
    if (!entry) skipped.add("samples without an image", key);
    return entry;
  };
  for await (const member of tarMembers(file, (kind, name) => skipped.add(kind, name))) {
    const slash = member.name.lastIndexOf("/") + 1;
    const dot = member.name.indexOf(".", slash);
    if (member.name.slice(slash).startsWith(".") || dot < 0) {
      skipped.add(dot < 0 ? "members without an ending" : "hidden members", member.name);
      continue;
    }
    const memberKey = member.name.slice(0, dot);
    const extension = extensionOf(member.name);
    if (memberKey !== key || members.has(extension)) {
      const entry = finish();
      if (entry) yield entry;
      key = memberKey;
      members = new Map();
    }
    members.set(extension, member);
  }
  const last = finish();
  if (last) yield last;
  skipped.report(`webDataset: ${file}`, log);
}

function sampleEntry(name: string, members: Map<string, Member>): ImageEntry | undefined {
  const images = [...members.keys()].filter((extension) => imageExtensions.includes(extension));
  if (images.length === 0) return undefined;
  if (images.length > 1) {
    return { name, content: { broken: `has several images: ${images.join(", ")}` } };
  }
  const read = [images[0]!, ...textExtensions.filter((extension) => members.has(extension))];
  const faults = read.flatMap((extension) => members.get(extension)!.fault ?? []);
  if (faults.length > 0) return { name, content: { broken: faults[0]! } };
  try {
    const { caption, label } = annotations(members);
    return { name, content: { bytes: members.get(images[0]!)!.data! }, caption, label };
  } catch (error) {
    return { name, content: { broken: (error as Error).message } };
  }
}

/** The caption and label of a sample. @throws an error that says how a text of the sample is wrong */
function annotations(members: Map<string, Member>): { caption?: string; label?: string } {
  const text = (extension: string) => {
    const member = members.get(extension);
    if (!member) return undefined;
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(member.data).trim();
    } catch {
      throw new Error(`has a ${extension} member that is not UTF-8`);
    }
  };
  const json = members.has("json") ? jsonObject(members.get("json")!.data!) : {};
  const own = (field: string) => {
    const value = Object.hasOwn(json, field) ? json[field] : undefined;
    if (value === undefined || value === null) return undefined;
    if (typeof value === "string" || typeof value === "number") return String(value);
    throw new Error(`has a json member whose "${field}" is no text: ${shown(value)}`);
  };
  return { caption: text("txt") ?? text("caption") ?? own("caption"), label: text("cls") ?? own("label") };
}

function jsonObject(bytes: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = parseJson(bytes);
  } catch (error) {
    throw new Error(`has a json member that is not valid JSON: ${(error as Error).message}`);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new Error(`has a json member that is no object: ${shown(value)}`);
}

/**
 * The files of a tar or tar.gz, one after the other, with the content of images and of the texts beside them.
 *
 * @param onOther called with the kind and name of each member that is neither a file nor a folder
 * @throws where the archive is cut short or is no tar, with its name
 */
export async function* tarMembers(
  file: string,
  onOther: (kind: string, name: string) => void = () => {},
): AsyncGenerator<Member> {
  const { createTarDecoder } = await import("modern-tar");
  const stream = openArchive(file);
  const { Readable: NodeReadable } = nodeModule("node:stream");
  try {
    const bytes = NodeReadable.toWeb(stream) as unknown as ReadableStream<Uint8Array>;
    const entries = bytes.pipeThrough(createTarDecoder({ strict: true }));
    for await (const { header, body } of entries) {
      if (header.type !== undefined && header.type !== "file") {
        await body.cancel();
        if (header.type !== "directory")
          onOther(others[header.type] ?? `members of type ${header.type}`, header.name);
        continue;
      }
      yield { name: header.name, ...(await readBody(body, header)) };
    }
  } catch (error) {
    const reason = /truncated|unexpected end/i.test((error as Error).message)
      ? "the archive is cut short"
      : `the archive cannot be read: ${(error as Error).message}`;
    throw new Error(`webDataset: ${file}: ${reason}`);
  } finally {
    stream.destroy();
  }
}

function openArchive(file: string): Readable {
  const { createReadStream } = nodeModule("node:fs");
  const { pipeline } = nodeModule("node:stream");
  const { createGunzip } = nodeModule("node:zlib");
  const bytes = createReadStream(file, { highWaterMark: 2 ** 18 });
  if (!/\.(tgz|gz)$/i.test(file)) return bytes;
  // The reader of the second stream sees the errors of both.
  return pipeline(bytes, createGunzip(), () => {});
}

/** A member's ending as WebDataset takes it: all after the first dot of its own name. */
const extensionOf = (name: string): string => {
  const own = name.slice(name.lastIndexOf("/") + 1);
  return own.includes(".") ? own.slice(own.indexOf(".") + 1).toLowerCase() : "";
};

/** Why a member cannot be read. */
function faultOf(extension: string, { size, pax }: TarHeader): string | undefined {
  if (pax?.["GNU.sparse.major"]) return "is a sparse file, which is not read";
  if (!textExtensions.includes(extension)) {
    return size > maxMemberBytes ? `has more than ${maxMemberBytes} bytes` : undefined;
  }
  if (size <= maxTextBytes) return undefined;
  return `has a ${extension} member of ${size} bytes, more than ${maxTextBytes}`;
}

async function readBody(
  body: ReadableStream<Uint8Array>,
  header: TarHeader,
): Promise<Pick<Member, "data" | "fault">> {
  const extension = extensionOf(header.name);
  const wanted = [...imageExtensions, ...textExtensions].includes(extension);
  const fault = wanted ? faultOf(extension, header) : undefined;
  if (fault || !wanted) {
    await body.cancel();
    return { fault };
  }
  const data = new Uint8Array(header.size);
  let at = 0;
  const reader = body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    data.set(part.value, at);
    at += part.value.length;
  }
  return { data };
}
