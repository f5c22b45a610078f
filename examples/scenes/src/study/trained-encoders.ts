import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Cell, exampleFolder, runFolder } from "./cells.js";

/** Where the models of a finished cell lie. */
export interface TrainedEncoders {
  /** The encoder's folder of a method; that of the model set for `original`. */
  encoder(method: string): string;
  /** The projector's file; `original` has that of the first method, since stage 2 does not train it. */
  projector(method: string): string;
  /** The diffusion model's folder. */
  diffusion: string;
}

/** @throws where the cell's encoders are not in `study/work`: they are not committed */
export function trainedEncoders(cell: Cell): TrainedEncoders {
  const run = runFolder(cell);
  if (!existsSync(join(run, "report.html"))) {
    throw new Error(
      `${run}: the encoders of ${cell.part.name} are not there; remove its results and run it anew`,
    );
  }
  const models = join(exampleFolder, `models/set-${cell.set}`);
  const folder = (method: string) => join(run, `${method.replaceAll(" ", "-")}-seed${cell.seed}`);
  const [first] = cell.part.methods;
  return {
    encoder: (method) => (method === "original" ? join(models, "clip") : join(folder(method), "encoder")),
    projector: (method) => join(folder(method === "original" ? first.name : method), "projector.safetensors"),
    diffusion: join(models, "diffusion"),
  };
}
