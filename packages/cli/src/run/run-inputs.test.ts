import { cp, mkdir, mkdtemp, open, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { fixtures } from "../../test/run-command.js";
import { defaultConfig, type RunConfig } from "../config/run-config.js";
import { jobFiles, jobName, listJobs } from "./jobs.js";
import { checkInputs, checkResumedInputs, hashInputs, writeInputs } from "./run-inputs.js";

const png = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==",
  "base64",
);

let folder: string;
const path = (...names: string[]) => join(folder, ...names);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "dcr-inputs-"));
  await cp(join(fixtures, "models"), folder, { recursive: true });
  await mkdir(path("run"));
  await mkdir(path("photos"));
  for (const name of ["a", "b", "c"]) await writeFile(path("photos", `${name}.png`), png);
  for (const name of ["x", "y"]) {
    await mkdir(path("birds", name), { recursive: true });
    await writeFile(path("birds", name, "1.png"), png);
  }
  await mkdir(path("pairs/MLLM_VLM Images/Texts"), { recursive: true });
  for (const name of ["1", "2"]) await writeFile(path("pairs/MLLM_VLM Images/Texts", `${name}.jpg`), png);
  await writeFile(path("pairs/Questions.csv"), "Question ID,Type,Statement\n1,Texts,an A\n2,Texts,a B\n");
  for (const name of ["loss", "images", "measure"]) await writeFile(path(`${name}.mjs`), `// ${name} 1\n`);
});
afterAll(() => rm(folder, { recursive: true }));

const settings = () => ({
  encoder: path("clip"),
  diffusion: path("stable-diffusion"),
  variant: null,
  images: path("photos"),
  methods: ["dcr", path("loss.mjs"), { name: "mine", method: path("loss.mjs") }] as unknown as ["dcr"],
  evaluate: [`folder:${path("birds")}`, `mmvp:${path("pairs")}`, path("measure.mjs")],
});

/** Writes a run's inputs as they are now. */
const begin = async (given: Parameters<typeof hashInputs>[0]) =>
  writeInputs(path("run"), await hashInputs(given));

/** Writes one byte of a file, by default at its end; the file keeps its name and its size. */
async function changeByte(name: string, at?: number) {
  const file = await open(path(name), "r+");
  const { size } = await file.stat();
  await file.write(Buffer.of(255), 0, 1, at ?? size - 1);
  await file.close();
}

it("names models whose files are others than when the run began", async () => {
  await expect(checkInputs(path("photos"), settings())).rejects.toThrow(
    `${path("photos/inputs.json")}: not there or damaged`,
  );
  await begin(settings());
  await checkInputs(path("run"), settings());
  // Files that are no part of a model do not matter.
  await writeFile(path("clip/README.md"), "x");
  await checkInputs(path("run"), settings());
  await changeByte("stable-diffusion/unet/diffusion_pytorch_model.safetensors");
  await expect(checkInputs(path("run"), settings())).rejects.toThrow(
    `--diffusion: ${path("stable-diffusion")} has other files than when the run was started`,
  );
  // One byte of 68,833 floats.
  await changeByte("clip/model.safetensors", 150_001);
  await expect(checkInputs(path("run"), settings())).rejects.toThrow(/^--encoder: /);
});

const renamed = (from: string, to: string) => () => rename(path(from), path(to));
const longer = (name: string) => () => writeFile(path(name), Buffer.concat([png, Buffer.of(0)]));

it.each<[string, () => Promise<void>, string]>([
  ["the name of an image", renamed("photos/b.png", "photos/d.png"), "--images: PHOTOS has other images"],
  ["the size of an image", longer("photos/a.png"), "--images: PHOTOS has other images"],
  ["the contents of an image", () => changeByte("photos/c.png"), "--images: PHOTOS has other images"],
  ["the name of a class", renamed("birds/y", "birds/z"), "--evaluate: folder:BIRDS has other contents"],
  ["the size of its image", longer("birds/x/1.png"), "--evaluate: folder:BIRDS has other contents"],
  ["the size of a pair's image", longer("pairs/MLLM_VLM Images/Texts/2.jpg"), "--evaluate: mmvp:PAIRS has"],
  [
    "a statement of pairs",
    () => writeFile(path("pairs/Questions.csv"), "Question ID,Type,Statement\n1,Texts,an A\n2,Texts,a C\n"),
    "--evaluate: mmvp:PAIRS has other contents",
  ],
  ["an evaluation", () => writeFile(path("measure.mjs"), "// 2\n"), "--evaluate: MEASURE has other contents"],
  ["a loss", () => writeFile(path("loss.mjs"), "// 2\n"), "--methods: LOSS has other contents"],
])("names the option where %s has changed", async (_, change, message) => {
  await begin(settings());
  await checkInputs(path("run"), settings());
  await change();
  const names = {
    PHOTOS: "photos",
    BIRDS: "birds",
    PAIRS: "pairs",
    MEASURE: "measure.mjs",
    LOSS: "loss.mjs",
  };
  const expected = Object.entries(names).reduce(
    (text, [name, file]) => text.replace(name, path(file)),
    message,
  );
  await expect(checkInputs(path("run"), settings())).rejects.toThrow(expected);
});

it("lets what no job was made with be mended, and names the jobs that were made with the rest", async () => {
  const run = path("run");
  const loss = path("loss.mjs");
  const methods = ["dcr", loss] as unknown as RunConfig["methods"];
  const config: RunConfig = { ...defaultConfig, ...settings(), methods, seeds: [0, 1] };
  const measure = path("measure.mjs");
  await begin(config);
  await writeFile(measure, "// mended\n");
  await writeFile(loss, "// mended\n");
  const resumed = await checkResumedInputs(run, config);
  expect(resumed.evaluations).toEqual([measure]);
  expect(resumed.inputs).toEqual(await hashInputs(config));

  // A result was made with the module as it was.
  const filesOf = (name: string) => jobFiles(run, listJobs(config).find((job) => jobName(job) === name)!);
  const touch = async (file: string) => {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, "");
  };
  const { result } = filesOf("original-seed0");
  await touch(result);
  await expect(checkResumedInputs(run, config)).rejects.toThrow(
    `--evaluate: ${measure} has other contents than when ${result} was made; put those back, or delete ${result} to make it anew, or start another run`,
  );
  await rm(result);
  const { folder: trained, checkpoint } = filesOf("loss-seed1");
  await touch(checkpoint);
  // The evaluation has not been asked for there.
  await expect(checkResumedInputs(run, config)).rejects.toThrow(
    `--methods: ${loss} has other contents than when ${trained} was made; put those back, or delete ${trained} to`,
  );
  await writeInputs(run, resumed.inputs);
  await checkResumedInputs(run, config);
  for (const name of ["align-rec-seed0", "align-rec-seed1", "dcr-seed0", "original-seed1"]) {
    await touch(filesOf(name).result);
  }
  await writeFile(path("photos/a.png"), png.subarray(1));
  const list = ["align-rec-seed0", "dcr-seed0", "align-rec-seed1"].map((name) => filesOf(name).folder);
  await expect(checkResumedInputs(run, config)).rejects.toThrow(
    `--images: ${path("photos")} has other images than when ${list.join(" and ")} and 1 more were made`,
  );
  await rm(join(run, "jobs"), { recursive: true });
});

it("reads a file of weights again only where its size, its times or its inode have changed", async () => {
  const { files } = await hashInputs(settings());
  const weights = path("clip/model.safetensors");
  expect(Object.keys(files)).toContain(weights);
  const told = { ...files, [weights]: { ...files[weights]!, sha256: "told" } };
  expect((await hashInputs(settings(), told)).files[weights]!.sha256).toBe("told");
  await cp(weights, `${weights}.new`);
  await rename(`${weights}.new`, weights);
  expect((await hashInputs(settings(), told)).files[weights]!.sha256).toBe(files[weights]!.sha256);
});

it("names an image module that has changed, and images that are gone", async () => {
  const fromModule = { ...settings(), images: path("images.mjs") };
  await begin(fromModule);
  await checkInputs(path("run"), fromModule);
  await writeFile(path("images.mjs"), "// 2\n");
  await expect(checkInputs(path("run"), fromModule)).rejects.toThrow(
    `--images: ${path("images.mjs")} has other images than when the run was started`,
  );
  await rm(path("images.mjs"));
  await expect(checkInputs(path("run"), fromModule)).rejects.toThrow(
    `--images: ${path("images.mjs")}: no such file`,
  );
});
