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
  progress: z.string(),
  checksum: z.string(),
});

/** The job and the settings that a checkpoint belongs to. */
export interface CheckpointOwner {
  /** Name of the job. */
  job: string;
  /** Hash of the run's settings. */
  settings: string;
}

/** A stage's state, as `@dcr-js/dcr` gives and takes it. */
export interface StageState {
  tensors: StateDict;
  /** The part that is JSON. */
  progress: { step: number };
}

/** Writes a stage's state to a file, whole or not at all. @throws where a value is not finite */
export async function writeCheckpoint(
  path: string,
  { job, settings }: CheckpointOwner,
  { tensors, progress }: StageState,
): Promise<void> {
  const described = {
    format: "dcr checkpoint" as const,
    version: formatVersion,
    job,
    settings,
    progress: JSON.stringify(progress),
  };
  const metadata = { ...described, checksum: await checksumOf(described, tensors) };
  await writeSafetensors(path, tensors, { metadata, finite: true });
}

/**
 * Reads a checkpoint, if there is one.
 *
 * @returns undefined where there is no such file; else the state, whose tensors the caller disposes
 * @throws if the file is damaged, or is another job's, another configuration's or another version's; the message says which
 * file to delete
 */
export async function readCheckpoint(path: string, owner: CheckpointOwner): Promise<StageState | undefined> {
  if (!existsSync(path)) return undefined;
  const tensors: StateDict = {};
  try {
    let metadata: z.infer<typeof metadataSchema>;
    try {
      const reader = await openSafetensors(path);
      try {
        metadata = metadataSchema.parse(reader.metadata);
        for (const name of reader.keys()) tensors[name] = await reader.tensor(name);
      } finally {
        await reader.close();
      }
    } catch (error) {
      throw refuseCheckpoint(path, "the checkpoint is damaged", error);
    }
    const { checksum, ...described } = metadata;
    if (metadata.version !== formatVersion) {
      const found = `the checkpoint has format version ${metadata.version}, expected ${formatVersion}`;
      throw refuseCheckpoint(path, found);
    }
    if (checksum !== (await checksumOf(described, tensors))) {
      throw refuseCheckpoint(path, "the checkpoint is damaged (its checksum is wrong)");
    }
    if (metadata.job !== owner.job) {
      throw refuseCheckpoint(path, `the checkpoint is of job ${metadata.job}, expected ${owner.job}`);
    }
    if (metadata.settings !== owner.settings) {
      throw refuseCheckpoint(path, "the checkpoint is of a run with other settings");
    }
    return { tensors, progress: JSON.parse(metadata.progress) };
  } catch (error) {
    tf.dispose(tensors as tf.NamedTensorMap);
    throw error;
  }
}

/** The error on a checkpoint that cannot be gone on from. */
export function refuseCheckpoint(path: string, why: string, cause?: unknown): Error {
  return new Error(`${path}: ${why}; delete this file to start its stage anew`, { cause });
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
