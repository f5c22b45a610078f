import { existsSync, readFileSync } from "node:fs";

/** The counts in a log of packages/tensor/scripts/conformance-run.mjs, also of one that was stopped. */
export interface SuiteResult {
  run: number;
  passed: number;
  /** Whether all specs ran. */
  ended: boolean;
  /** The spec in which the process ended, where it did not end by itself. */
  running?: string;
  failures: { name: string; failure: string }[];
}

interface Entry {
  started?: { name: string };
  done?: { name: string; failure: string | null };
  ended?: boolean;
}

export function readSuite(log: string): SuiteResult | undefined {
  if (!existsSync(log)) return undefined;
  const result: SuiteResult = { run: 0, passed: 0, ended: false, failures: [] };
  // The last line may be half a line.
  for (const line of readFileSync(log, "utf8").split("\n").slice(0, -1)) {
    const { started, done, ended } = JSON.parse(line) as Entry;
    result.ended ||= ended === true;
    result.running = started?.name;
    if (!done) continue;
    result.run++;
    if (done.failure === null) result.passed++;
    else result.failures.push({ name: done.name, failure: done.failure });
  }
  return result;
}
