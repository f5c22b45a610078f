/**
 * A setup file of vitest, beside Stryker's own: tells the test runner which mutants a test file reached while vitest collected its
 * tests. Stryker counts those together with the mutants that hooks reach.
 */
import { afterAll, beforeAll, inject } from "vitest";

const namespace = inject("globalNamespace");
let collected = {};

beforeAll(() => {
  collected = { ...globalThis[namespace]?.mutantCoverage?.static };
});

// biome-ignore lint/correctness/noEmptyPattern: vitest passes the file second, and wants the first argument taken apart
afterAll(({}, file) => {
  file.meta.collected = collected;
});
