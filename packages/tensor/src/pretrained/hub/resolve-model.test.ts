import { fork } from "node:child_process";
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { models, startHub } from "../../../test/hub-server.mjs";
import type { DownloadProgress } from "./environment.js";
import { type ResolveOptions, resolveModel } from "./resolve-model.js";

let hub: Awaited<ReturnType<typeof startHub>>;
let root: string;
let cacheDir: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "hub-"));
  hub = await startHub();
});
afterAll(async () => {
  await hub.close();
  await rm(root, { recursive: true });
});
beforeEach(async () => {
  cacheDir = await mkdtemp(join(root, "cache-"));
  hub.requests.length = 0;
  for (const name of [
    "HF_HOME",
    "HF_HUB_CACHE",
    "HUGGINGFACE_HUB_CACHE",
    "XDG_CACHE_HOME",
    "HF_TOKEN",
    "HF_HUB_OFFLINE",
  ]) {
    vi.stubEnv(name, undefined);
  }
  vi.stubEnv("HF_TOKEN_PATH", join(root, "no-token"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  for (const name of Object.keys(hub.faults)) delete hub.faults[name as keyof typeof hub.faults];
});

const resolve = (id: string, options: ResolveOptions = {}) =>
  resolveModel(id, { endpoint: hub.endpoint, cacheDir, ...options });

/** Every file of a folder with its contents' length, links with their targets. */
async function layout(folder: string, prefix = ""): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of (await readdir(join(folder, prefix))).sort()) {
    const path = prefix === "" ? name : `${prefix}/${name}`;
    const stats = await lstat(join(folder, path));
    if (stats.isDirectory()) Object.assign(found, await layout(folder, path));
    else if (stats.isSymbolicLink()) found[path] = `-> ${await readlink(join(folder, path))}`;
    else
      found[path] = path.includes("/refs/")
        ? await readFile(join(folder, path), "utf8")
        : `${stats.size} bytes`;
  }
  return found;
}

describe("resolveModel", () => {
  it("refuses a file where a folder is expected", async () => {
    const file = join(root, "config.json");
    await writeFile(file, "{}");
    await expect(resolveModel(file, { cacheDir, localFilesOnly: true })).rejects.toThrow(
      `resolveModel: expected a folder or a model's id, got the file "${file}"`,
    );
  });

  it("takes a local folder as it is", async () => {
    await mkdir(join(root, "local", "unet"), { recursive: true });
    expect(await resolve(join(root, "local"))).toBe(join(root, "local"));
    expect(await resolve(join(root, "local"), { subfolder: "unet" })).toBe(join(root, "local", "unet"));
    expect(hub.requests).toEqual([]);
  });

  it("downloads what a model needs and nothing else, and asks for nothing the second time", async () => {
    const progress: DownloadProgress[] = [];
    const folder = await resolve("tiny/clip", { onProgress: (one) => progress.push(one) });
    expect(folder).toBe(join(cacheDir, "models--tiny--clip", "snapshots", "1".repeat(40)));
    expect((await readdir(folder)).sort()).toEqual([
      "config.json",
      "merges.txt",
      "model.safetensors",
      "vocab.json",
    ]);
    const weights = await readFile(join(folder, "model.safetensors"));
    expect(weights).toEqual(models["tiny/clip"].files["model.safetensors"]);
    expect(hub.requests).not.toContain("a token to another host");
    const last = progress.at(-1)!;
    expect([last.bytes, last.fileBytes]).toEqual([last.total, last.fileTotal]);
    expect(new Set(progress.map(({ file }) => file)).size).toBe(4);
    hub.requests.length = 0;
    expect(await resolve("tiny/clip")).toBe(folder);
    expect(await resolve("tiny/clip", { revision: "1".repeat(40), localFilesOnly: true })).toBe(folder);
    expect(hub.requests).toEqual([]);
    await resolve("tiny/clip", { refresh: true });
    expect(hub.requests.filter((one) => one.startsWith("GET /?"))).toEqual([]);
    expect(hub.requests.length).toBeGreaterThan(0);
  });

  it("lays the cache out as huggingface_hub does", async () => {
    await resolve("tiny/clip");
    await resolve("tiny/diffusion");
    const golden = JSON.parse(
      await readFile(new URL("../../../fixtures/hub-cache.json", import.meta.url), "utf8"),
    );
    expect(await layout(cacheDir)).toEqual(golden);
  });

  it("uses what Python cached, fetches what it lacks, and keeps to the cache offline", async () => {
    const repository = join(cacheDir, "models--tiny--clip");
    const snapshot = join(repository, "snapshots", "1".repeat(40));
    await mkdir(join(repository, "refs"), { recursive: true });
    await mkdir(join(repository, "blobs"));
    await mkdir(snapshot, { recursive: true });
    await writeFile(join(repository, "refs", "main"), "1".repeat(40));
    await writeFile(join(repository, "blobs", "abc"), "{}");
    await symlink("../../blobs/abc", join(snapshot, "config.json"));
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    vi.stubEnv("HF_HUB_CACHE", cacheDir);
    await expect(resolveModel("tiny/clip")).rejects.toThrow(
      /^"tiny\/clip" is neither a folder \(.*tiny\/clip does not exist\) nor a model whose files are in the cache .*HF_HUB_OFFLINE is set$/,
    );
    expect(await resolveModel("tiny/clip", { weights: false })).toBe(snapshot);
    await expect(
      resolveModel("tiny/clip", {
        weights: false,
        needs: [["tokenizer.json"], ["vocab.json", "merges.txt"]],
      }),
    ).rejects.toThrow("neither a folder");
    await writeFile(join(repository, "blobs", "def"), "weights");
    await symlink("../../blobs/def", join(snapshot, "model.safetensors"));
    expect(await resolveModel("tiny/clip")).toBe(snapshot);
    // A link without its file counts as missing, and so does an index that is damaged or names nothing.
    await rm(join(repository, "blobs", "def"));
    await expect(resolveModel("tiny/clip")).rejects.toThrow("neither a folder");
    const index = join(snapshot, "model.safetensors.index.json");
    for (const text of ['{"weight_map": {"a": "mod', "null", "{}", '{"weight_map": {}}']) {
      await writeFile(index, text);
      await expect(resolveModel("tiny/clip"), text).rejects.toThrow("neither a folder");
    }
    await rm(index);
    expect(hub.requests).toEqual([]);
    expect(await resolve("tiny/clip", { localFilesOnly: false })).toBe(snapshot);
    expect((await readFile(join(snapshot, "model.safetensors"))).length).toBeGreaterThan(800_000);
  });

  it("takes of a diffusers repository its parts, or those that are asked for", async () => {
    const folder = await resolve("tiny/diffusion", { subfolders: ["tokenizer", "scheduler"] });
    expect((await readdir(folder)).sort()).toEqual(["model_index.json", "scheduler", "tokenizer"]);
    await resolve("tiny/diffusion");
    expect((await readdir(folder)).sort()).toEqual(["model_index.json", "scheduler", "tokenizer", "unet"]);
    expect((await readdir(join(folder, "unet"))).sort()).toEqual([
      "config.json",
      "diffusion_pytorch_model-00001-of-00001.safetensors",
      "diffusion_pytorch_model.safetensors.index.json",
    ]);
    hub.requests.length = 0;
    expect(await resolve("tiny/diffusion", { subfolder: "unet" })).toBe(join(folder, "unet"));
    expect(await resolve("tiny/diffusion")).toBe(folder);
    expect(hub.requests).toEqual([]);
  });

  it("takes a variant, and says which there are", async () => {
    const folder = await resolve("tiny/clip", { variant: "fp16" });
    expect(await readdir(folder)).toContain("model.fp16.safetensors");
    expect(await readdir(folder)).not.toContain("model.safetensors");
    await expect(resolve("tiny/clip", { variant: "bf16" })).rejects.toThrow(
      'tiny/clip has no weights of variant "bf16", only without a variant, "fp16"',
    );
    await expect(resolve("tiny/pickle")).rejects.toThrow(
      "tiny/pickle has its weights only as pytorch_model.bin, which is not read; convert them once, and name the folder ./pickle: python -c",
    );
  });

  it("names both readings of what is neither a folder nor a model", async () => {
    await expect(resolve("tiny/clipp")).rejects.toThrow(
      /^"tiny\/clipp" is neither a folder \(\S+tiny\/clipp does not exist\) nor a model that could be had from the hub \(http:\S+ answers 401: no such model, or one that needs a token/,
    );
    await expect(resolve("tiny/clipp", { token: "hf_some" })).rejects.toThrow(
      "answers 404: no such model or revision",
    );
    await expect(resolve("tiny/clip", { revision: "v2" })).rejects.toThrow("answers 404");
    hub.requests.length = 0;
    for (const path of [
      "./clip",
      "../clip",
      "/models/clip",
      "a/b/c",
      "models\\clip",
      "~/clip",
      "owner/..",
      "x y",
    ]) {
      await expect(resolve(path)).rejects.toThrow(
        /is no folder \(.* does not exist\), and no model's id on the hub/,
      );
    }
    for (const bad of ["../x", "/x", "a//b", "."]) {
      await expect(resolve("tiny/clip", { subfolder: bad })).rejects.toThrow(
        "resolveModel: subfolder: refusing",
      );
      await expect(resolve("tiny/clip", { revision: bad })).rejects.toThrow(
        "resolveModel: revision: refusing",
      );
    }
    await expect(resolve("tiny/clip", { cache_dir: "x" } as object)).rejects.toThrow(
      'unknown option "cache_dir"',
    );
    expect(hub.requests).toEqual([]);
    await expect(resolve("tiny/clip", { endpoint: "http://127.0.0.1:9" })).rejects.toThrow(
      /127\.0\.0\.1:9: (ECONNREFUSED|bad port)/,
    );
  });

  it("sends a token to the hub only, from the option, the environment or the file of a login", async () => {
    await expect(resolve("tiny/gated")).rejects.toThrow("answers 401");
    await expect(resolve("tiny/gated", { token: false })).rejects.toThrow("answers 401");
    const folder = await resolve("tiny/gated", { token: "secret" });
    expect(await readdir(folder)).toEqual(["config.json", "model.safetensors"]);
    await rm(cacheDir, { recursive: true });
    vi.stubEnv("HF_TOKEN", "secret\n");
    await resolve("tiny/gated");
    await rm(cacheDir, { recursive: true });
    vi.stubEnv("HF_TOKEN", undefined);
    await writeFile(join(root, "token"), "secret\n");
    vi.stubEnv("HF_TOKEN_PATH", join(root, "token"));
    await resolve("tiny/gated");
    expect(hub.requests).not.toContain("a token to another host");
  });

  it("finds the cache where the environment says, as huggingface_hub does", async () => {
    const paths = [
      [{ XDG_CACHE_HOME: join(root, "xdg") }, join(root, "xdg", "huggingface", "hub")],
      [{ HF_HOME: join(root, "home") }, join(root, "home", "hub")],
      [{ HF_HOME: join(root, "home"), HF_HUB_CACHE: join(root, "direct") }, join(root, "direct")],
    ] as const;
    for (const [variables, place] of paths) {
      for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
      const folder = await resolveModel("tiny/gated", { endpoint: `${hub.endpoint}/`, token: "secret" });
      expect(folder).toBe(join(place, "models--tiny--gated", "snapshots", "3".repeat(40)));
    }
  });
});

describe("a download", () => {
  const blobs = () => readdir(join(cacheDir, "models--tiny--clip", "blobs"));
  const ranges = () => hub.requests.filter((one) => / bytes=/.test(one)).map((one) => one.replace(/.* /, ""));

  it("goes on where the connection was cut", async () => {
    hub.faults.cutAfter = 300_000;
    const folder = await resolve("tiny/clip");
    expect(ranges()).toEqual(["bytes=300000-"]);
    const weights = await readFile(join(folder, "model.safetensors"));
    expect(weights).toEqual(models["tiny/clip"].files["model.safetensors"]);
  });

  it("goes on where a killed process stopped, and leaves no snapshot before all is there", async () => {
    Object.assign(hub.faults, { cutAfter: 300_000, always: true });
    const script = join(root, "download.mjs");
    await writeFile(
      script,
      `import { resolveModel } from ${JSON.stringify(new URL("../../../dist/index.js", import.meta.url).href)};
       const options = { ...JSON.parse(process.argv[2]), onProgress: ({ file, fileBytes }) => {
         if (file === "model.safetensors" && fileBytes >= 100_000) process.kill(process.pid, "SIGKILL");
       } };
       await resolveModel("tiny/clip", options);`,
    );
    const child = fork(script, [JSON.stringify({ endpoint: hub.endpoint, cacheDir })], { silent: true });
    expect(await new Promise((resolve) => child.on("exit", (_, signal) => resolve(signal)))).toBe("SIGKILL");
    expect((await blobs()).filter((name) => name.endsWith(".incomplete"))).toHaveLength(1);
    await expect(readdir(join(cacheDir, "models--tiny--clip", "snapshots"))).rejects.toThrow("ENOENT");
    hub.faults.cutAfter = undefined;
    hub.requests.length = 0;
    await resolve("tiny/clip");
    expect(ranges()).toHaveLength(1);
    expect(Number(/\d+/.exec(ranges()[0]!)![0])).toBeGreaterThanOrEqual(100_000);
    expect((await blobs()).filter((name) => name.endsWith(".incomplete"))).toEqual([]);
  });

  it("starts again where the server knows no ranges, and refuses what has another hash", async () => {
    Object.assign(hub.faults, { cutAfter: 300_000, ignoreRange: true });
    await resolve("tiny/clip");
    expect(ranges()).toEqual(["bytes=300000-"]);
    await rm(cacheDir, { recursive: true });
    hub.faults.damage = true;
    await expect(resolve("tiny/clip")).rejects.toThrow(
      /tiny\/clip: model\.safetensors: what came is damaged: its hash is/,
    );
    expect((await blobs()).some((name) => name.endsWith(".incomplete"))).toBe(false);
    hub.faults.damage = undefined;
    await resolve("tiny/clip");
  });

  it("gives up at an answer that will not change", async () => {
    hub.faults.status = 403;
    await expect(resolve("tiny/clip")).rejects.toThrow(
      "tiny/clip: model.safetensors: the server answered 403",
    );
    expect(hub.requests.filter((one) => one.startsWith("GET /?"))).toHaveLength(1);
  });

  it("is shared by two that run at once", async () => {
    const folders = await Promise.all([resolve("tiny/clip"), resolve("tiny/clip")]);
    expect(folders[0]).toBe(folders[1]);
    const weights = await readFile(join(folders[0]!, "model.safetensors"));
    expect(weights).toEqual(models["tiny/clip"].files["model.safetensors"]);
    expect((await blobs()).some((name) => name.endsWith(".incomplete"))).toBe(false);
  });
});
