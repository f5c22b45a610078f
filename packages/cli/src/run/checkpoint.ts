import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { openSafetensors, type StateDict, writeSafetensors } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { z } from "zod";

/** Raised whenever a checkpoint of before would be read as something else. */
const formatVersion = "1";

const metadataSchema = z.strictObject({
  format: z.literal("dcr checkpoint"),
  version: z.string(),
  job: z.string(),
  settings: z.string(),
  steps: z.string().regex(/^\d+$/),
  position: z.string(),
  checksum: z.string(),
});

/** What a checkpoint belongs to. */
export interface CheckpointOwner {
  /** Name of the job. */
  job: string;
  /** Hash of the run's settings. */
  settings: string;
}

/** How far a stage has come. */
export interface Progress {
  /** Steps that were taken. */
  steps: number;
  /** Where the source of images stands, as JSON. */
  position: unknown;
}

/** Writes a stage's state to a file, whole or not at all. */
export async function writeCheckpoint(
  path: string,
  { job, settings, steps, position, state }: CheckpointOwner & Progress & { state: StateDict },
): Promise<void> {
  const described = {
    format: "dcr checkpoint" as const,
    version: formatVersion,
    job,
    settings,
    steps: String(steps),
    position: JSON.stringify(position ?? null),
  };
  const metadata = { ...described, checksum: await checksumOf(described, state) };
  await writeSafetensors(path, state, { metadata });
}

/**
 * Reads a checkpoint, if there is one.
 *
 * @returns undefined where there is no such file; else progress and state, whose tensors the caller disposes
 * @throws if the file is damaged, or is another job's, another configuration's or another version's; the message says which
 * file to delete
 */
export async function readCheckpoint(
  path: string,
  owner: CheckpointOwner,
): Promise<(Progress & { state: StateDict }) | undefined> {
  if (!existsSync(path)) return undefined;
  const refuse = (why: string, cause?: unknown) =>
    new Error(`${path}: ${why}; delete this file to start its stage anew`, { cause });
  const state: StateDict = {};
  try {
    let metadata: z.infer<typeof metadataSchema>;
    try {
      const reader = await openSafetensors(path);
      try {
        metadata = metadataSchema.parse(reader.metadata);
        for (const name of reader.keys()) state[name] = await reader.tensor(name);
      } finally {
        await reader.close();
      }
    } catch (error) {
      throw refuse("the checkpoint is damaged", error);
    }
    const { checksum, ...described } = metadata;
    if (metadata.version !== formatVersion) {
      throw refuse(`the checkpoint has format version ${metadata.version}, expected ${formatVersion}`);
    }
    if (checksum !== (await checksumOf(described, state))) {
      throw refuse("the checkpoint is damaged (its checksum is wrong)");
    }
    if (metadata.job !== owner.job) {
      throw refuse(`the checkpoint is of job ${metadata.job}, expected ${owner.job}`);
    }
    if (metadata.settings !== owner.settings) throw refuse("the checkpoint is of a run with other settings");
    for (const [name, tensor] of Object.entries(state)) {
      if (!(tensor!.dataSync() as Float32Array).every(Number.isFinite)) {
        throw refuse(`the checkpoint's tensor "${name}" is not finite`);
      }
    }
    return { steps: Number(metadata.steps), position: JSON.parse(metadata.position), state };
  } catch (error) {
    tf.dispose(state as tf.NamedTensorMap);
    throw error;
  }
}

/** SHA-256 of the metadata and of every tensor's name, shape and values. */
async function checksumOf(metadata: Record<string, string>, state: StateDict): Promise<string> {
  const hash = createHash("sha256");
  hash.update(JSON.stringify(Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1))));
  for (const name of Object.keys(state).sort()) {
    const tensor = state[name]!;
    const values = await tensor.data();
    hash.update(JSON.stringify([name, tensor.dtype, tensor.shape]));
    hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  return hash.digest("hex");
}
