import type { DataId, TensorInfo } from "@tensorflow/tfjs-core";

/** A kernel that runs, and its inputs. */
export interface Running {
  kernelName: string;
  inputs: Record<string, TensorInfo | undefined>;
  /** What it made so far: no one else's, should it throw. */
  made: DataId[];
}

/** A kernel with its inputs' shapes, as messages name it. */
export function subjectOf(running: Running | null, otherwise = "a kernel"): string {
  if (!running) return otherwise;
  const shapes = Object.entries(running.inputs).map(([key, info]) => `${key} [${info?.shape ?? ""}]`);
  return shapes.length ? `${running.kernelName} of ${shapes.join(", ")}` : running.kernelName;
}
