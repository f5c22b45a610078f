// A local server that speaks what huggingface_hub and we ask of the Hugging Face hub: a model's commit, its listing in pages, HEAD and
// GET of files, large ones behind a redirect to another host, with ranges, tokens and errors. Run alone it serves `models` and prints
// its address: node test/hub-server.mjs

import { createHash } from "node:crypto";
import { createServer } from "node:http";

const sha1 = (bytes) => createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** A safetensors file of one float32 vector. */
function safetensors(values) {
  const header = Buffer.from(
    JSON.stringify({ w: { dtype: "F32", shape: [values.length], data_offsets: [0, 4 * values.length] } }),
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, Buffer.from(Float32Array.from(values).buffer)]);
}

const long = Array.from({ length: 200_000 }, (_, i) => i % 1000);

/** Repositories by id: files by path, and what is special about them. */
export const models = {
  "tiny/clip": {
    commit: "1".repeat(40),
    files: {
      "config.json": '{"model_type":"clip"}',
      "README.md": "# A model",
      "model.safetensors": safetensors(long),
      "model.fp16.safetensors": safetensors([16]),
      "pytorch_model.bin": "pickle",
      "vocab.json": '{"a":0}',
      "merges.txt": "#version: 0.2\n",
      "onnx/model.onnx": "onnx",
    },
  },
  "tiny/diffusion": {
    commit: "2".repeat(40),
    files: {
      "model_index.json": JSON.stringify({
        _class_name: "StableDiffusionPipeline",
        unet: ["diffusers", "UNet2DConditionModel"],
        tokenizer: ["transformers", "CLIPTokenizer"],
        scheduler: ["diffusers", "DDIMScheduler"],
        safety_checker: [null, null],
      }),
      "v1-5-pruned.safetensors": safetensors([15]),
      "unet/config.json": "{}",
      "unet/diffusion_pytorch_model.safetensors.index.json": JSON.stringify({
        weight_map: { w: "diffusion_pytorch_model-00001-of-00001.safetensors" },
      }),
      "unet/diffusion_pytorch_model-00001-of-00001.safetensors": safetensors([1, 2, 3]),
      "unet/diffusion_pytorch_model.bin": "pickle",
      "tokenizer/vocab.json": "{}",
      "tokenizer/merges.txt": "",
      "scheduler/scheduler_config.json": "{}",
      "safety_checker/config.json": "{}",
    },
  },
  "tiny/gated": {
    commit: "3".repeat(40),
    token: "secret",
    files: { "config.json": "{}", "model.safetensors": safetensors([3]) },
  },
  "tiny/pickle": { commit: "4".repeat(40), files: { "config.json": "{}", "pytorch_model.bin": "pickle" } },
};

const isLarge = (path) => /\.(safetensors|bin|onnx)$/.test(path);
const bytesOf = (content) => (typeof content === "string" ? Buffer.from(content) : content);

/**
 * Starts the server.
 *
 * @param repositories as {@link models}
 * @returns `endpoint`; `requests`, each a method and a path; `faults`: set `cutAfter` to bytes after which the next answer with a large
 * file is cut, `ignoreRange` to send all of it, `damage` to change a byte, `status` to answer so instead of a large file; `close`
 */
export async function startHub(repositories = models) {
  const requests = [];
  const faults = {};
  const files = createServer((request, response) => {
    requests.push(
      `${request.method} ${request.url}${request.headers.range ? ` ${request.headers.range}` : ""}`,
    );
    if (request.headers.authorization) requests.push("a token to another host");
    sendFile(request, response, new URL(request.url, "http://x").searchParams);
  });
  const hub = createServer((request, response) => answer(request, response));
  const address = async (server) => {
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${server.address().port}`;
  };
  const filesAddress = await address(files);
  const endpoint = await address(hub);

  function answer(request, response) {
    requests.push(`${request.method} ${request.url}`);
    const { pathname, searchParams } = new URL(request.url, endpoint);
    const fail = (status, code) => {
      response.writeHead(status, { "content-type": "application/json", "x-error-code": code });
      response.end(JSON.stringify({ error: code }));
    };
    const json = (value, headers = {}) => {
      response.writeHead(200, { "content-type": "application/json", ...headers });
      response.end(JSON.stringify(value));
    };
    const [, api, rest] = /^\/(api\/models\/)?(.*)$/.exec(pathname);
    const [, id, action, revision = "main", path] =
      /^([^/]+\/[^/]+)(?:\/(revision|tree|resolve)\/([^/]+)(?:\/(.*))?)?$/.exec(decodeURIComponent(rest)) ??
      [];
    const model = repositories[id];
    if (!model) return fail(request.headers.authorization ? 404 : 401, "RepoNotFound");
    if (model.token && request.headers.authorization !== `Bearer ${model.token}`)
      return fail(401, "GatedRepo");
    if (revision !== "main" && revision !== model.commit) return fail(404, "RevisionNotFound");
    const paths = Object.keys(model.files);
    if (api && action === "tree") {
      const from = Number(searchParams.get("cursor") ?? 0);
      const page = paths.slice(from, from + 4).map((one) => {
        const bytes = bytesOf(model.files[one]);
        const lfs = isLarge(one) && { lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 130 } };
        return { type: "file", path: one, size: bytes.length, oid: sha1(bytes), ...lfs };
      });
      const folders = from === 0 ? [...new Set(paths.flatMap((one) => one.split("/").slice(0, -1)))] : [];
      const next = `<${endpoint}${pathname}?recursive=true&cursor=${from + 4}>; rel="next"`;
      return json(
        [...folders.map((one) => ({ type: "directory", path: one, size: 0, oid: "0".repeat(40) })), ...page],
        from + 4 < paths.length ? { link: next } : {},
      );
    }
    if (api) {
      const siblings = paths.map((rfilename) => ({ rfilename }));
      return json({
        id,
        modelId: id,
        sha: model.commit,
        private: false,
        gated: false,
        downloads: 0,
        likes: 0,
        tags: [],
        siblings,
        lastModified: "2024-01-01T00:00:00.000Z",
      });
    }
    const content = model.files[path];
    if (content === undefined) return fail(404, "EntryNotFound");
    const bytes = bytesOf(content);
    const headers = { "x-repo-commit": model.commit, "accept-ranges": "bytes" };
    if (!isLarge(path)) {
      response.writeHead(200, { ...headers, etag: `"${sha1(bytes)}"`, "content-length": bytes.length });
      return response.end(request.method === "HEAD" ? undefined : bytes);
    }
    response.writeHead(302, {
      ...headers,
      "x-linked-etag": `"${sha256(bytes)}"`,
      "x-linked-size": bytes.length,
      location: `${filesAddress}/?${new URLSearchParams({ id, path })}`,
    });
    response.end();
  }

  function sendFile(request, response, query) {
    const bytes = Buffer.from(bytesOf(repositories[query.get("id")].files[query.get("path")]));
    const { cutAfter, damage, ignoreRange, status } = faults;
    if (status) {
      response.writeHead(status);
      return response.end();
    }
    const from = ignoreRange ? 0 : Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    if (damage) bytes[bytes.length - 1] ^= 1;
    const range = from > 0 ? { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {};
    response.writeHead(from > 0 ? 206 : 200, { ...range, "content-length": bytes.length - from });
    if (request.method === "HEAD") return response.end();
    if (cutAfter === undefined) return response.end(bytes.subarray(from));
    if (!faults.always) faults.cutAfter = undefined;
    // The bytes go out before the connection ends.
    response.write(bytes.subarray(from, from + cutAfter), () => setTimeout(() => response.destroy(), 50));
  }

  const close = async () => {
    for (const server of [hub, files]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  };
  return { endpoint, requests, faults, close };
}

if (process.argv[1] === import.meta.filename) console.log((await startHub()).endpoint);
