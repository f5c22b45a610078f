import { parentPort, workerData } from "node:worker_threads";
import { type ImageTask, type Recipe, runImageTask } from "./image-task.js";

const port = parentPort;
if (!port) throw new Error("image-worker runs only in a worker thread");

// One image after the other: a worker holds one decoded image, however many tasks wait.
let last: Promise<void> = Promise.resolve();
port.on("message", ({ id, task }: { id: number; task: ImageTask }) => {
  last = last.then(async () => {
    const result = await runImageTask(workerData as Recipe, task);
    const buffers = "views" in result ? result.views.map((view) => view.buffer) : [];
    port.postMessage({ id, result }, buffers);
  });
});
