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

/** Adds a line to the file that PARITY_FILE names, for `npm run parity`; without it nothing happens. */
export function recordParity(entry: ParityEntry): void {
  // Tests in browsers import this file too, so Node's module is asked for only where it is needed.
  const file = globalThis.process?.env.PARITY_FILE;
  if (file) process.getBuiltinModule("node:fs").appendFileSync(file, `${JSON.stringify(entry)}\n`);
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
