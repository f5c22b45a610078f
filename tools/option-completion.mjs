/**
 * `npm run test:completion [-- contrastive eval]`: does an editor complete every option? Asks TypeScript's language service, as editors do, what it
 * offers within the braces of `options` in a call of each function and class that a package exports, and fails where an option is not
 * offered or has no documentation. Needs built packages.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The completions that an editor offers within the options of each function of a module, given its declarations, `index.d.ts`. */
function offeredOptions(declarations) {
  const folder = dirname(declarations);
  const caller = join(folder, "option-completion.ts");
  const module = JSON.stringify(declarations.replace(/\.d\.ts$/, ".js"));
  let [text, version] = [`export * from ${module};`, 0];
  const { readFile, readDirectory, directoryExists, getDirectories, realpath } = ts.sys;
  const service = ts.createLanguageService({
    readFile,
    readDirectory,
    directoryExists,
    getDirectories,
    realpath,
    getScriptFileNames: () => [caller],
    getScriptVersion: (file) => (file === caller ? String(version) : "0"),
    getScriptSnapshot: (file) => {
      if (file !== caller && !ts.sys.fileExists(file)) return undefined;
      return ts.ScriptSnapshot.fromString(file === caller ? text : readFileSync(file, "utf8"));
    },
    fileExists: (file) => file === caller || ts.sys.fileExists(file),
    getCurrentDirectory: () => folder,
    getCompilationSettings: () => ({
      module: ts.ModuleKind.NodeNext,
      target: ts.ScriptTarget.ES2022,
      strict: true,
      skipLibCheck: true,
      types: ["node"],
    }),
    getDefaultLibFileName: ts.getDefaultLibFilePath,
  });
  const program = service.getProgram();
  const checker = program.getTypeChecker();
  const exported = checker.getSymbolAtLocation(program.getSourceFile(declarations));
  const calls = checker.getExportsOfModule(exported).flatMap((symbol) => {
    const type = checker.getTypeOfSymbol(symbol);
    const [call] = type.getCallSignatures();
    const signature = call ?? type.getConstructSignatures()[0];
    const at = signature?.parameters.findIndex(({ name }) => name === "options") ?? -1;
    if (at < 0) return [];
    const options = checker.getNonNullableType(checker.getTypeOfSymbol(signature.parameters[at]));
    // A list of answers is called options too.
    if (checker.isArrayLikeType(options)) return [];
    const names = checker.getPropertiesOfType(checker.getApparentType(options)).map(({ name }) => name);
    const given = [...new Array(at).fill("undefined as never"), "{"].join(", ");
    const before = `import * as library from ${module};\n${call ? "" : "new "}library.${symbol.name}(${given} `;
    return [{ name: symbol.name, names, before }];
  });
  return calls.map(({ name, names, before }) => {
    [text, version] = [`${before} });`, version + 1];
    const entries = service.getCompletionsAtPosition(caller, before.length, {})?.entries ?? [];
    const offered = new Map();
    for (const entry of entries.filter((each) => names.includes(each.name))) {
      const details = service.getCompletionEntryDetails(
        caller,
        before.length,
        entry.name,
        {},
        entry.source,
        {},
      );
      offered.set(entry.name, ts.displayPartsToString(details?.documentation));
    }
    return { name, names, offered };
  });
}

const packages = readdirSync(join(root, "packages"));
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !packages.includes(name));
if (unknown.length > 0) throw new Error(`option-completion: no such package: ${unknown.join(", ")}`);

let faults = 0;
for (const name of wanted.length > 0 ? wanted : packages) {
  const folder = join(root, "packages", name);
  const { exports = {}, private: isPrivate } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  if (isPrivate) continue;
  let [functions, options] = [0, 0];
  for (const { types } of Object.values(exports)) {
    if (!types) continue;
    for (const { name: called, names, offered } of offeredOptions(join(folder, types))) {
      functions++;
      options += names.length;
      for (const option of names) {
        if (offered.get(option)) continue;
        faults++;
        const fault = offered.has(option) ? "has no documentation" : "is not offered";
        console.error(`${name}: ${called}: the option ${option} ${fault}`);
      }
    }
  }
  console.log(`${name}: ${options} options of ${functions} functions`);
}
if (faults > 0) {
  console.error(`${faults} options are not completed as they should be`);
  process.exitCode = 1;
}
