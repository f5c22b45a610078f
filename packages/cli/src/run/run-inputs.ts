import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { openImages } from "@dcr-js/data";
import { mmvpVLM } from "@dcr-js/eval/datasets";
import { writeFileAtomically } from "@dcr-js/tensor";
import { z } from "zod";
import { hashModule } from "../config/import-default.js";
import { baseOf, isOwnMethod } from "../config/methods.js";
import type { ModelSettings, RunConfig } from "../config/run-config.js";
import { openClassFolder } from "../evaluate/class-folder.js";
import { parseEvaluation } from "../evaluate/evaluate-encoder.js";
import { hashModels } from "../models/model-hashes.js";
import { messageOf } from "../shared/message-of.js";
import { hashDataset } from "../train/hash-dataset.js";
import { isImageModule } from "../train/images.js";

/** The settings that name a run's inputs. */
type InputSettings = Pick<RunConfig, ModelSettings | "images" | "methods" | "evaluate">;

const hashes = z.record(z.string(), z.string());

/** Hashes of all that a run reads beside its settings. Of methods those that are modules are among them, by their path. */
const inputsSchema = z.strictObject({
  encoder: z.string(),
  diffusion: z.string(),
  images: z.string(),
  methods: hashes,
  evaluate: hashes,
});

type Inputs = z.infer<typeof inputsSchema>;

/** Where a run keeps the hashes of its inputs. */
const inputsPath = (run: string): string => join(run, "inputs.json");

/** Writes to a run's folder what its inputs are made of. */
export async function writeInputs(run: string, config: InputSettings): Promise<void> {
  await writeFileAtomically(inputsPath(run), `${JSON.stringify(await hashInputs(config), null, 2)}\n`);
}

/** @throws where an input is not what it was when the run began; the error names its option */
export async function checkInputs(run: string, config: InputSettings): Promise<void> {
  const path = inputsPath(run);
  const began = await readFile(path, "utf8")
    .then((text) => inputsSchema.parse(JSON.parse(text)))
    .catch((cause: Error) => {
      throw new Error(
        `${path}: not there or damaged, so that nobody can tell whether the models and images are the run's`,
        { cause },
      );
    });
  const now = await hashInputs(config);
  const check = (option: string, what: string, [before, after]: [string | undefined, string]) => {
    if (before === after) return;
    throw new Error(`--${option}: ${what} than when the run began; put those back, or start another run`);
  };
  for (const model of ["encoder", "diffusion"] as const) {
    check(model, `${config[model]} has other files`, [began[model], now[model]]);
  }
  check("images", `${config.images} has other images`, [began.images, now.images]);
  for (const setting of ["methods", "evaluate"] as const) {
    for (const [name, hash] of Object.entries(now[setting])) {
      check(setting, `${name} has other contents`, [began[setting][name], hash]);
    }
  }
}

async function hashInputs(config: InputSettings): Promise<Inputs> {
  const modules = config.methods.map(baseOf).filter((method) => !isOwnMethod(method));
  return {
    ...(await hashModels(config)),
    images: await naming("images", config.images, () => hashImages(config.images)),
    methods: await hashEach(modules, (path) => naming("methods", path, () => hashModule(path))),
    evaluate: await hashEach(config.evaluate, (what) => naming("evaluate", what, () => hashEvaluation(what))),
  };
}

async function hashEach(
  names: readonly string[],
  hash: (name: string) => Promise<string>,
): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of names) found[name] = await hash(name);
  return found;
}

async function naming(option: string, name: string, hash: () => Promise<string>): Promise<string> {
  try {
    return await hash();
  } catch (error) {
    throw new Error(`--${option}: ${name}: ${messageOf(error)}`, { cause: error });
  }
}

/** Files that are not read were named when the images were checked. */
const silent = () => {};

async function hashImages(images: string): Promise<string> {
  return isImageModule(images)
    ? await hashModule(images)
    : hashDataset(await openImages(images, { log: silent }));
}

async function hashEvaluation(what: string): Promise<string> {
  const { kind, path } = parseEvaluation(what);
  if (kind === "module") return hashModule(path);
  if (kind === "folder") return hashDataset(await openClassFolder(path, silent));
  const { dataset, statements, patterns } = await mmvpVLM(path);
  return hashDataset(dataset, [...statements, ...patterns]);
}
