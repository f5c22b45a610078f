import { nodeModule } from "../shared/node-modules.js";

const maxFiles = 100_000;

/**
 * The files that a pattern of WebDataset names: braces such as `{00000..00331}` and `{train,val}`, and the globs `*`, `?`, `**`
 * and `[...]`.
 *
 * @param path a pattern; on Windows `\\` separates folders as `/` does
 * @returns paths, in the braces' order, those of a glob sorted
 * @throws if a file that braces name is missing, and if a glob matches nothing
 */
export async function expandPattern(path: string): Promise<string[]> {
  // In a pattern "\\" makes the next character an ordinary one.
  const pattern = process.platform === "win32" ? path.replaceAll("\\", "/") : path;
  const { stat } = nodeModule("node:fs/promises");
  const isFile = async (path: string) => (await stat(path).catch(() => undefined))?.isFile() ?? false;
  if (await isFile(pattern)) return [pattern];
  const { expand } = await import("brace-expansion");
  const expanded = expand(pattern, { max: maxFiles + 1, maxLength: 2 ** 28 });
  if (expanded.length > maxFiles) {
    throw new Error(`webDataset: ${pattern} names more than ${maxFiles} files`);
  }
  const files: string[] = [];
  const missing: string[] = [];
  for (const each of expanded) {
    if (/[*?[]/.test(each)) for (const file of await matches(each)) files.push(file);
    else if (await isFile(each)) files.push(each);
    else missing.push(each);
  }
  if (missing.length > 0) {
    const first = missing.slice(0, 3).join(", ");
    const of = expanded.length > 1 ? ` (${missing.length} of ${expanded.length} are missing)` : "";
    throw new Error(`webDataset: no such file: ${first}${missing.length > 3 ? ", ..." : ""}${of}`);
  }
  return files;
}

async function matches(glob: string): Promise<string[]> {
  const { glob: find } = await import("tinyglobby");
  const { dirname, resolve } = nodeModule("node:path");
  // tinyglobby takes only "/", and searches below one folder.
  const pattern = glob.replaceAll("\\", "/");
  const fixed = pattern.slice(0, pattern.search(/[*?[]/));
  const below = fixed.slice(0, fixed.lastIndexOf("/") + 1);
  const cwd = below ? resolve(below) : dirname(resolve("x"));
  const found = await find(pattern.slice(below.length), { cwd, expandDirectories: false });
  if (found.length === 0) throw new Error(`webDataset: no file matches ${glob}`);
  return found.sort().map((file) => below + file);
}
