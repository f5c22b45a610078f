// biome-ignore lint/suspicious/noExplicitAny: jasmine-core has no types; the page loads it before this bundle
declare const jasmineRequire: any;

/** A page's report to scripts/browser.mjs. */
export interface Results {
  /** The device that it ran on. */
  device: string;
  passed: number;
  excluded: number;
  failures: { name: string; message: string }[];
  /** Results that another page should find too. */
  numbers?: number[];
}

const jasmine = jasmineRequire.core(jasmineRequire);
const env = jasmine.getEnv();
// Import this file before any that declares specs: they find `describe`, `it` and `expect` in the global scope.
Object.assign(globalThis, { jasmine }, jasmineRequire.interface(jasmine, env));
jasmine.DEFAULT_TIMEOUT_INTERVAL = 60_000;

/** Runs the specs that were declared. */
export async function runSpecs(device: string): Promise<Results> {
  const results: Results = { device, passed: 0, excluded: 0, failures: [] };
  env.configure({ random: false });
  env.clearReporters();
  env.addReporter({
    specDone({ status, fullName, failedExpectations: failed }: SpecResult) {
      if (status === "passed") results.passed++;
      if (status === "excluded") results.excluded++;
      if (status === "failed") results.failures.push({ name: fullName, message: failed[0]?.message ?? "" });
    },
  });
  await env.execute();
  return results;
}

interface SpecResult {
  status: string;
  fullName: string;
  failedExpectations: { message: string }[];
}
