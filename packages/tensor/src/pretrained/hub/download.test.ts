import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { downloadBlob } from "./download.js";

const content = Buffer.from(Array.from({ length: 50_000 }, (_, i) => i % 251));
const etag = createHash("sha256").update(content).digest("hex");
let folder: string;
let answer: RequestListener;
let requests = 0;
const server = createServer((request, response) => {
  requests++;
  answer(request, response);
});
let url: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "download-"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true });
});

const download = (place: string, changes: object = {}, options: object = {}) =>
  downloadBlob("file", { url, etag, size: content.length, withToken: false, ...changes }, place, {
    token: "secret",
    onBytes: () => {},
    retryDelay: 1,
    ...options,
  });

describe("downloadBlob", () => {
  it("tries a busy server five times, and goes on after one that recovers", async () => {
    const place = join(folder, "busy");
    requests = 0;
    answer = (_, response) => response.writeHead(503).end();
    await expect(download(place)).rejects.toThrow("file: the server answered 503");
    expect(requests).toBe(5);
    requests = 0;
    answer = (_, response) => (requests < 4 ? response.writeHead(429).end() : response.end(content));
    await download(place);
    expect((await readFile(place)).equals(content)).toBe(true);
    expect(await readdir(folder)).toEqual(["busy"]);
  });

  it("takes a connection that brings nothing for cut", async () => {
    const place = join(folder, "stalled");
    requests = 0;
    answer = (request, response) => {
      const from = Number(/\d+/.exec(request.headers.range ?? "0")![0]);
      if (requests > 1) {
        response.writeHead(206, { "content-range": `bytes ${from}-${content.length - 1}/${content.length}` });
        response.end(content.subarray(from));
      } else response.write(content.subarray(0, 1000));
    };
    await download(place, {}, { stallTimeout: 200 });
    expect((await readFile(place)).equals(content)).toBe(true);
    // On a busy machine a later answer may be late too.
    expect(requests).toBeGreaterThan(1);
  });

  it("refuses more bytes than were promised, and another range than was asked for", async () => {
    answer = (_, response) => response.end(Buffer.concat([content, content]));
    await expect(download(join(folder, "more"))).rejects.toThrow("file: expected 50000 bytes, got more");
    await writeFile(join(folder, "range.incomplete"), content.subarray(0, 100));
    answer = (_, response) => {
      response.writeHead(206, { "content-range": "bytes 7-49999/50000" }).end(content.subarray(7));
    };
    await expect(download(join(folder, "range"))).rejects.toThrow(
      "file: asked for bytes from 100, got bytes 7-",
    );
  });

  it("takes a git hash for what it is, and gives the token to the hub only", async () => {
    const seen: (string | undefined)[] = [];
    answer = (request, response) => {
      seen.push(request.headers.authorization);
      response.end(content);
    };
    const git = createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
    await download(join(folder, "git"), { etag: git, withToken: true });
    await expect(download(join(folder, "other"), { etag: "0".repeat(40) })).rejects.toThrow(
      `file: what came is damaged: its hash is ${git}, the hub's is ${"0".repeat(40)}; try again`,
    );
    await download(join(folder, "no-hash"), { etag: "v1-5" });
    expect(seen).toEqual(["Bearer secret", undefined, undefined]);
  });
});
