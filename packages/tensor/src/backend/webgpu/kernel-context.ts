import type { DataId, TensorInfo } from "@tensorflow/tfjs-core";

/** The kernel that runs, and its inputs. */
export interface KernelContext {
  kernelName: string;
  inputs: Record<string, TensorInfo | undefined>;
  /** Tensors that it has made so far; they are freed if it throws. */
  made: DataId[];
}

/** Names a kernel with its inputs' shapes, for messages. */
export function subjectOf(context: KernelContext | null, otherwise = "a kernel"): string {
  if (!context) return otherwise;
  const shapes = Object.entries(context.inputs).map(([key, info]) => `${key} [${info?.shape ?? ""}]`);
  return shapes.length ? `${context.kernelName} of ${shapes.join(", ")}` : context.kernelName;
}
