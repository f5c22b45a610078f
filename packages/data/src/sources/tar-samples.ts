import type { Readable } from "node:stream";
import { imageExtensions } from "../decode/image-format.js";
import { nodeModule } from "../shared/node-modules.js";
import type { ImageEntry } from "./dataset.js";
import { type Log, SkippedFiles } from "./skipped-files.js";

/** A file of an archive. */
interface Member {
  name: string;
  /** Left out where there are more than `maxMemberBytes`, so that they are not held in memory. */
  data?: Uint8Array;
}

/** A member above this is no training image; its sample counts as broken. */
const maxMemberBytes = 2 ** 29;

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
  for await (const member of tarMembers(file)) {
    const slash = member.name.lastIndexOf("/") + 1;
    const dot = member.name.indexOf(".", slash);
    if (member.name.slice(slash).startsWith(".") || dot < 0) {
      skipped.add(dot < 0 ? "members without an ending" : "hidden members", member.name);
      continue;
    }
    const memberKey = member.name.slice(0, dot);
    const extension = member.name.slice(dot + 1).toLowerCase();
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
  const { data } = members.get(images[0]!)!;
  if (!data) return { name, content: { broken: `has more than ${maxMemberBytes} bytes` } };
  const text = (extension: string) => {
    const member = members.get(extension);
    return member && new TextDecoder().decode(member.data).trim();
  };
  let json: Record<string, unknown> | undefined;
  try {
    json = members.has("json") ? JSON.parse(text("json")!) : undefined;
  } catch {
    return { name, content: { broken: "has a json member that is not valid JSON" } };
  }
  const own = (field: string) => {
    const value = json?.[field];
    return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
  };
  return {
    name,
    content: { bytes: data },
    caption: text("txt") ?? text("caption") ?? own("caption"),
    label: text("cls") ?? own("label"),
  };
}

/**
 * The files of a tar or tar.gz, one after the other.
 *
 * @throws where the archive is cut short or is no tar, with its name
 */
export async function* tarMembers(file: string): AsyncGenerator<Member> {
  const { createTarDecoder } = await import("modern-tar");
  const stream = openArchive(file);
  const { Readable: NodeReadable } = nodeModule("node:stream");
  try {
    const bytes = NodeReadable.toWeb(stream) as unknown as ReadableStream<Uint8Array>;
    const entries = bytes.pipeThrough(createTarDecoder({ strict: true }));
    for await (const { header, body } of entries) {
      if (header.type !== undefined && header.type !== "file") {
        await body.cancel();
        continue;
      }
      yield { name: header.name, data: await readBody(body, header.size) };
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

async function readBody(body: ReadableStream<Uint8Array>, size: number): Promise<Uint8Array | undefined> {
  if (size > maxMemberBytes) {
    await body.cancel();
    return undefined;
  }
  const data = new Uint8Array(size);
  let at = 0;
  const reader = body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    data.set(part.value, at);
    at += part.value.length;
  }
  return data;
}
