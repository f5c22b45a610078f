import { conObjective, dcrObjective, jointObjective, type Objective, recObjective } from "@dcr-js/dcr";
import { importDefault } from "../config/import-default.js";
import { isOwnMethod } from "../config/methods.js";
import type { RunConfig } from "../config/run-config.js";
import { describe } from "../shared/check-options.js";

type ObjectiveSettings = Pick<RunConfig, "temperature" | "positives" | "gradient" | "naive">;

/** The objective of a method that trains: one of ours by name, or the default export of a module. */
export async function loadObjective(method: string, settings: ObjectiveSettings): Promise<Objective> {
  if (!isOwnMethod(method)) return importObjective(method);
  const { temperature, positives, gradient, naive } = settings;
  const ofFeatures = () => {
    if (temperature !== "auto") return temperature;
    throw new Error(
      `--temperature: auto is measured on the denoiser's predictions, and ${method} contrasts features; give it a number`,
    );
  };
  switch (method) {
    case "rec":
      return recObjective();
    case "con":
      return conObjective({ temperature: ofFeatures() });
    case "naive":
      if (naive.lambdaCon + naive.lambdaRec === 0) {
        throw new Error("--lambda-con, --lambda-rec: one must be above 0, else naive trains nothing");
      }
      return jointObjective({ ...naive, temperature: ofFeatures() });
    case "dcr":
      return dcrObjective({ temperature, positives, gradient });
    case "original":
      throw new Error("original trains nothing and has no objective");
  }
}

/** @throws naming the module where its default export is not an `Objective` */
async function importObjective(path: string): Promise<Objective> {
  const refuse = (why: string, cause?: unknown) => new Error(`--methods: ${path}: ${why}`, { cause });
  const made = await importDefault(path).catch((error: Error) => {
    throw refuse(
      error.message === "no such file" ? `${error.message}, and no method of that name` : error.message,
      error,
    );
  });
  const objective = made as Partial<Objective> | undefined;
  const expected = "the default export must be an Objective of @dcr-js/dcr";
  if (typeof objective !== "object" || objective === null)
    throw refuse(`${expected}, got ${describe(objective)}`);
  const fields = {
    name: "string",
    usesAugmented: "boolean",
    usesPredictions: "boolean",
    terms: "function",
  } as const;
  for (const [field, type] of Object.entries(fields)) {
    const value = objective[field as keyof Objective];
    if (typeof value !== type)
      throw refuse(`${expected}; its ${field} must be a ${type}, got ${describe(value)}`);
  }
  return objective as Objective;
}
