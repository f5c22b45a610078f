/** How far a function is from its peer's on the tests' inputs, as relative errors. */
export interface ParityEntry {
  /** The public function. */
  name: string;
  /** The library, paper or loop that it is compared with. */
  peer: string;
  /** Relative error of the value. */
  value: number;
  /** Relative error of the gradient (norm of the difference over the norm), the largest over the inputs. */
  gradient?: number;
}

/**
 * Adds a line to the file that PARITY_FILE names, for `npm run parity`. Without it, checks that the table in the package's README is not
 * stale: it has the function, and the error is not above the one that it states.
 *
 * @throws where the table has no such row, or a smaller error
 */
export function recordParity(entry: ParityEntry): void {
  // Tests in browsers import this file too, so Node's modules are asked for only where they are needed.
  const { env, getBuiltinModule } = globalThis.process ?? {};
  if (!getBuiltinModule) return;
  if (env?.PARITY_FILE)
    getBuiltinModule("node:fs").appendFileSync(env.PARITY_FILE, `${JSON.stringify(entry)}\n`);
  else checkTable(entry, readmeOfTest());
}

/** The README of the package whose test is running. */
function readmeOfTest(): string | undefined {
  const place = /((?:[A-Za-z]:)?\/[^\s:()]*\/packages\/(?!testing\/)[\w-]+)\/(?:src|test)\//;
  const folder = place.exec(new Error().stack ?? "")?.[1];
  return folder && process.getBuiltinModule("node:fs").readFileSync(`${folder}/README.md`, "utf8");
}

/** @throws where the README has a table of errors, and it is stale */
export function checkTable({ name, peer, value, gradient }: ParityEntry, readme: string | undefined): void {
  const table = /<!-- parity -->([\s\S]*)<!-- \/parity -->/.exec(readme ?? "")?.[1];
  if (table === undefined) return;
  const row = table.split("\n").find((line) => line.startsWith(`| \`${name}\` | ${peer} |`));
  const stated = row?.split("|").slice(3, 5).map(Number);
  const stale = (what: string) =>
    new Error(`the README's table of agreement is stale (npm run parity writes it): ${what}`);
  if (!stated) throw stale(`no row for ${name} and ${peer}`);
  for (const [i, error] of [value, gradient ?? 0].entries()) {
    // Stated is one digit; another processor rounds otherwise.
    const most = 3 * stated[i]! + 1e-15;
    if (!(error <= most)) throw stale(`${name} and ${peer}: ${error} is above ${stated[i]}`);
  }
}

/** Norm of the difference over the norm of the expected values; the norm of the difference where those are zero. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [difference, length] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i] - expected[i]) ** 2;
    length += expected[i] ** 2;
  }
  return Math.sqrt(length > 0 ? difference / length : difference);
}
