import type { Worker } from "node:worker_threads";
import { nodeModule } from "../shared/node-modules.js";
import { workerProgram } from "../shared/worker-program.js";
import type { PixelData } from "../transforms/image.js";
import { type ImageResult, type ImageTask, type Recipe, runImageTask } from "./image-task.js";

/** Runs image tasks side by side. */
export interface WorkerPool {
  /** Rejects where a worker has ended, and after `close`. */
  run(task: ImageTask): Promise<ImageResult>;
  /** Keeps the process alive while a reader waits for a result. */
  ref(): void;
  /** Lets the process end although workers are there. */
  unref(): void;
  /** Ends the workers and rejects the tasks that have not finished. */
  close(): Promise<void>;
}

interface Thread {
  worker: Worker;
  pending: Map<number, { resolve: (result: ImageResult) => void; reject: (error: Error) => void }>;
}

/**
 * Starts worker threads. With 0 workers, tasks run in this thread, one after the other.
 *
 * @param caller the public function, for errors
 */
export function startWorkerPool(caller: string, recipe: Recipe, workers: number): WorkerPool {
  return workers === 0 ? inThisThread(caller, recipe) : inWorkers(caller, recipe, workers);
}

function inThisThread(caller: string, recipe: Recipe): WorkerPool {
  let closed = false;
  let last: Promise<unknown> = Promise.resolve();
  return {
    run(task) {
      const result = last.then(() => {
        if (closed) throw new Error(`${caller}: closed`);
        return runImageTask(recipe, task);
      });
      last = result.catch(() => {});
      return result;
    },
    ref() {},
    unref() {},
    async close() {
      closed = true;
    },
  };
}

function inWorkers(caller: string, recipe: Recipe, count: number): WorkerPool {
  const { Worker } = nodeModule("node:worker_threads");
  const program = imageWorker();
  if (!program) {
    throw new Error(
      `${caller}: workers: this bundle lacks image-worker.js, the program of the ${count} data workers; ` +
        "leave @dcr-js/data out of the bundle, or set workers: 0",
    );
  }
  let failure: Error | undefined;
  let nextId = 0;

  const fail = (error: Error) => {
    failure ??= error;
    for (const { pending } of threads) {
      for (const { reject } of pending.values()) reject(failure);
      pending.clear();
    }
  };
  const start = (): Thread => {
    // A worker takes over this process's flags, and some, such as --input-type, are not for files.
    const worker = new Worker(program, { workerData: recipe, execArgv: [] });
    const pending: Thread["pending"] = new Map();
    worker.unref();
    worker.on("message", ({ id, result }: { id: number; result: ImageResult }) => {
      pending.get(id)?.resolve(result);
      pending.delete(id);
    });
    worker.on("error", (error: Error) =>
      fail(new Error(`${caller}: a data worker failed: ${error.message}`)),
    );
    worker.on("exit", (code) => fail(new Error(`${caller}: a data worker ended with code ${code}`)));
    return { worker, pending };
  };
  const threads = Array.from({ length: count }, start);

  return {
    run(task) {
      if (failure) return Promise.reject(failure);
      const id = nextId++;
      const { worker, pending } = threads.reduce((a, b) => (b.pending.size < a.pending.size ? b : a));
      return new Promise((resolve, reject) => {
        pending.set(id, { resolve, reject });
        worker.postMessage({ id, task: withOwnBuffer(task) });
      });
    },
    ref: () => {
      for (const { worker } of threads) worker.ref();
    },
    unref: () => {
      for (const { worker } of threads) worker.unref();
    },
    async close() {
      fail(new Error(`${caller}: closed`));
      await Promise.all(threads.map(({ worker }) => worker.terminate()));
    },
  };
}

/** A message clones the whole buffer that a view lies in, for each image: an array of 60,000 images would be cloned for every one of them. */
function withOwnBuffer(task: ImageTask): ImageTask {
  const { content } = task;
  if ("bytes" in content) return { ...task, content: { bytes: ownCopy(content.bytes) } };
  if (!("image" in content)) return task;
  return { ...task, content: { image: { ...content.image, data: ownCopy(content.image.data) } } };
}

/** `slice` of a Buffer would be a view again. */
function ownCopy<D extends PixelData>(view: D): D {
  if (view.byteLength === view.buffer.byteLength) return view;
  return (view instanceof Float32Array ? new Float32Array(view) : new Uint8Array(view)) as D;
}

const imageWorker = () => workerProgram(import.meta.url, "pipeline/image-worker.js");

/** Half of the processor's threads, at most 8: the step needs the others. None outside Node, and in a bundle, which lacks their program. */
export function defaultWorkers(): number {
  if (!globalThis.process?.getBuiltinModule || !imageWorker()) return 0;
  const { availableParallelism } = nodeModule("node:os");
  return Math.min(8, Math.max(1, Math.floor(availableParallelism() / 2)));
}
