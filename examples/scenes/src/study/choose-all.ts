import { choose } from "./choose.js";
import { isComplete, partResults, withMethodsOf } from "./part-results.js";
import { type Chosen, trainedMethods, tuningPartsOf } from "./plan.js";

/** The choice that the tuning results lead to; undefined while some are missing. */
export async function chooseAll(folder?: string): Promise<Chosen | undefined> {
  const chosen: Partial<Chosen> = {};
  for (const method of trainedMethods) {
    const [first, ...others] = tuningPartsOf(method);
    let [part, results] = [first, await partResults(first, folder)];
    if (!isComplete(first, results)) return undefined;
    for (const other of others) {
      const more = await partResults(other, folder);
      if (!isComplete(other, more)) return undefined;
      const names = other.methods.map(({ name }) => name);
      [part, results] = withMethodsOf({ part: other, results: more, names }, part, results);
    }
    chosen[method] = choose(part, results);
  }
  return chosen as Chosen;
}
