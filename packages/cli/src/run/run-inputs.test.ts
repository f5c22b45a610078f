import { cp, mkdir, mkdtemp, open, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { fixtures } from "../../test/run-command.js";
import { checkInputs, writeInputs } from "./run-inputs.js";

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

/** Writes one byte at the end of a file, which keeps its name, its size and its beginning. */
async function changeEnd(name: string) {
  const file = await open(path(name), "r+");
  const { size } = await file.stat();
  await file.write(Buffer.of(255), 0, 1, size - 1);
  await file.close();
}

it("names models whose files are others than when the run began", async () => {
  await expect(checkInputs(path("photos"), settings())).rejects.toThrow(
    `${path("photos/inputs.json")}: not there or damaged`,
  );
  await writeInputs(path("run"), settings());
  await checkInputs(path("run"), settings());
  // Files that are no part of a model do not matter.
  await writeFile(path("clip/README.md"), "x");
  await checkInputs(path("run"), settings());
  await changeEnd("stable-diffusion/unet/diffusion_pytorch_model.safetensors");
  await expect(checkInputs(path("run"), settings())).rejects.toThrow(
    `--diffusion: ${path("stable-diffusion")} has other files than when the run began; put those back, or start another run`,
  );
  await changeEnd("clip/model.safetensors");
  await expect(checkInputs(path("run"), settings())).rejects.toThrow(/^--encoder: /);
});

const renamed = (from: string, to: string) => () => rename(path(from), path(to));
const longer = (name: string) => () => writeFile(path(name), Buffer.concat([png, Buffer.of(0)]));

it.each<[string, () => Promise<void>, string]>([
  ["the name of an image", renamed("photos/b.png", "photos/d.png"), "--images: PHOTOS has other images"],
  ["the size of an image", longer("photos/a.png"), "--images: PHOTOS has other images"],
  ["the contents of an image", () => changeEnd("photos/c.png"), "--images: PHOTOS has other images"],
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
  await writeInputs(path("run"), settings());
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

it("names an image module that has changed, and images that are gone", async () => {
  const fromModule = { ...settings(), images: path("images.mjs") };
  await writeInputs(path("run"), fromModule);
  await checkInputs(path("run"), fromModule);
  await writeFile(path("images.mjs"), "// 2\n");
  await expect(checkInputs(path("run"), fromModule)).rejects.toThrow(
    `--images: ${path("images.mjs")} has other images than when the run began`,
  );
  await rm(path("images.mjs"));
  await expect(checkInputs(path("run"), fromModule)).rejects.toThrow(
    `--images: ${path("images.mjs")}: no such file`,
  );
});
