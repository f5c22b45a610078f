import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { openImages } from "@dcr-js/data";
import { classFolder, mmvpVLM } from "@dcr-js/eval/datasets";
import { writeFileAtomically } from "@dcr-js/tensor";
import { z } from "zod";
import { hashModule } from "../config/import-default.js";
import { baseOf, isOwnMethod } from "../config/methods.js";
import type { ModelSettings, RunConfig } from "../config/run-config.js";
import { parseEvaluation } from "../evaluate/evaluate-encoder.js";
import { hashedFileSchema } from "../models/hash-file.js";
import { hashModels } from "../models/model-hashes.js";
import { messageOf } from "../shared/message-of.js";
import { hashDataset } from "../train/hash-dataset.js";
import { isImageModule } from "../train/images.js";
import { jobFiles, listJobs } from "./jobs.js";

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
  /** The hashes of models' files, so that a file which has not changed is not read again. */
  files: z.record(z.string(), hashedFileSchema),
});

export type RunInputs = z.infer<typeof inputsSchema>;

/** Where a run keeps the hashes of its inputs. */
const inputsPath = (run: string): string => join(run, "inputs.json");

/** Writes to a run's folder what its inputs are made of, before any job works on them. */
export async function writeInputs(run: string, inputs: RunInputs): Promise<void> {
  await writeFileAtomically(inputsPath(run), `${JSON.stringify(inputs, null, 2)}\n`);
}

async function readInputs(run: string): Promise<RunInputs> {
  const path = inputsPath(run);
  return readFile(path, "utf8")
    .then((text) => inputsSchema.parse(JSON.parse(text)))
    .catch((cause: Error) => {
      throw new Error(
        `${path}: not there or damaged, so that nobody can tell whether the models and images are the run's`,
        { cause },
      );
    });
}

/** An input that has changed since it was hashed. */
interface ChangedInput {
  option: "encoder" | "diffusion" | "images" | "methods" | "evaluate";
  /** The value of the option. */
  name: string;
}

function changedInputs(config: InputSettings, before: RunInputs, now: RunInputs): ChangedInput[] {
  const changed: ChangedInput[] = [];
  for (const option of ["encoder", "diffusion", "images"] as const) {
    if (before[option] !== now[option]) changed.push({ option, name: config[option] });
  }
  for (const option of ["methods", "evaluate"] as const) {
    for (const [name, hash] of Object.entries(now[option])) {
      if (before[option][name] !== hash) changed.push({ option, name });
    }
  }
  return changed;
}

const contentsOf = {
  encoder: "files",
  diffusion: "files",
  images: "images",
  methods: "contents",
  evaluate: "contents",
};

const describeChange = ({ option, name }: ChangedInput): string =>
  `--${option}: ${name} has other ${contentsOf[option]}`;

/**
 * Checks a job's inputs when it begins.
 *
 * @throws where an input has changed since the run was started or resumed; the error names its option
 */
export async function checkInputs(run: string, config: InputSettings): Promise<void> {
  const began = await readInputs(run);
  const [changed] = changedInputs(config, began, await hashInputs(config, began.files));
  if (changed) throw new Error(`${describeChange(changed)} than when the run was started`);
}

/**
 * Checks the inputs of a resumed run. An input that a finished job or a checkpoint used must not have changed; any other may have been
 * mended meanwhile.
 *
 * @returns the inputs as they are now, to be written before a job works on them, and the evaluations that have changed
 * @throws where a used input has changed, naming its option and the files that were made with it
 */
export async function checkResumedInputs(
  run: string,
  config: RunConfig,
): Promise<{ inputs: RunInputs; evaluations: string[] }> {
  const before = await readInputs(run);
  const inputs = await hashInputs(config, before.files);
  const changed = changedInputs(config, before, inputs);
  for (const input of changed) {
    const made = madeWith(run, config, input);
    if (made.length === 0) continue;
    const shown = made.length > 3 ? [...made.slice(0, 3), `${made.length - 3} more`] : made;
    const list = shown.join(" and ");
    throw new Error(
      `${describeChange(input)} than when ${list} ${made.length > 1 ? "were" : "was"} made; put those back, or delete ${list} to make ${made.length > 1 ? "them" : "it"} anew, or start another run`,
    );
  }
  return {
    inputs,
    evaluations: changed.filter(({ option }) => option === "evaluate").map(({ name }) => name),
  };
}

/** The folders of jobs that have trained with an input, or the results of those that have evaluated with it. */
function madeWith(run: string, config: RunConfig, { option, name }: ChangedInput): string[] {
  return listJobs(config).flatMap((job) => {
    const { folder, checkpoint, output, result } = jobFiles(run, job);
    const isOriginal = job.method === "original";
    if (option === "evaluate") return job.kind === "method" && existsSync(result) ? [result] : [];
    if (option === "images" && isOriginal) return [];
    if (option === "methods" && (job.kind === "align" || baseOf(job.method) !== name)) return [];
    return [checkpoint, output, result].some((path) => existsSync(path)) ? [folder] : [];
  });
}

/** @param known hashes of models' files of before */
export async function hashInputs(config: InputSettings, known?: RunInputs["files"]): Promise<RunInputs> {
  const modules = config.methods.map(baseOf).filter((method) => !isOwnMethod(method));
  return {
    ...(await hashModels(config, known)),
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
  if (kind === "folder") return hashDataset((await classFolder(path)).dataset);
  const { dataset, statements, patterns } = await mmvpVLM(path);
  return hashDataset(dataset, [...statements, ...patterns]);
}
