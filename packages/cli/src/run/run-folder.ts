import { existsSync, readdirSync } from "node:fs";
import { checkOutputFolder } from "../command-line/output-file.js";
import { configPath } from "../config/read-config.js";
import { absolutePath } from "../config/resolve-paths.js";

/**
 * The folder of a new run. Nothing is made.
 *
 * @param out as the user gave it; by default a folder of this second under `runs/` @param base where relative paths start from
 * @throws where a folder cannot be made there, or holds something
 */
export function newRunFolder(out: string | undefined, base: string): string {
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(/[:T]/g, "-");
  const folder = absolutePath(out ?? `runs/${stamp}`, base);
  checkOutputFolder(folder);
  refuseUsedFolder(folder);
  return folder;
}

/** Refuses a folder for a new run. @throws where it holds a run or foreign files; the leftovers of a run that never began are allowed */
export function refuseUsedFolder(folder: string): void {
  if (!existsSync(folder)) return;
  if (existsSync(configPath(folder))) {
    throw new Error(
      `--out: ${folder} holds a run already; go on with it by --resume, or name another folder`,
    );
  }
  // A run that was killed before it began leaves its lock and the files that it writes before its configuration.
  const ofStart = /^lock\.\d+|^(inputs\.json|config\.yaml\..*\.tmp|inputs\.json\..*\.tmp)$/;
  const found = readdirSync(folder).find((name) => !ofStart.test(name));
  if (found !== undefined)
    throw new Error(`--out: ${folder} is not empty, it holds ${found}; name another folder`);
}
