import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { commonTokens, declareFactoryPlugin, PluginKind, tokens } from "@stryker-mutator/api/plugin";
import { DryRunStatus, TestStatus } from "@stryker-mutator/api/test-runner";
import { strykerPlugins as official, strykerValidationSchema } from "@stryker-mutator/vitest-runner";
import { BaseSequencer } from "vitest/node";

const setup = fileURLToPath(new URL("hook-coverage.mjs", import.meta.url));

/**
 * Stryker's test runner for vitest, with three changes:
 * - A mutant that only hooks and tests reach runs against the test files that reach it. Stryker runs all tests where a hook reaches it.
 * - Test files run in the order in which one may expect a failure soonest: the mutated file's own test first, then the quick ones.
 * - A test file that fails before it has tests counts as a failed test. Stryker overlooks it.
 */
function createRunner(injector) {
  const runner = injector.injectFunction(official[0].factory);
  const seconds = new Map();
  let own = "";
  /** The tests of the last run. */
  let tests = [];

  class QuickestFirst extends BaseSequencer {
    async sort(files) {
      const rank = ({ moduleId }) => (moduleId === own ? -1 : (seconds.get(moduleId) ?? 0));
      return files.toSorted((a, b) => rank(a) - rank(b));
    }
  }

  const { init, dryRun, mutantRun, run } = Object.getPrototypeOf(runner);
  runner.init = async () => {
    await init.call(runner);
    const { ctx } = runner;
    ctx.config.sequence.sequencer = QuickestFirst;
    for (const { config } of ctx.projects) {
      config.setupFiles = [...config.setupFiles, setup];
      // Counting what each test reaches slows some tests tenfold. Stryker ends those that hang.
      config.testTimeout = 0;
      config.hookTimeout = 0;
    }
  };

  runner.dryRun = async (options) => {
    const result = await dryRun.call(runner, options);
    for (const { filepath, result: outcome, setupDuration, collectDuration } of runner.ctx.state.getFiles()) {
      seconds.set(filepath, (outcome?.duration ?? 0) + (setupDuration ?? 0) + (collectDuration ?? 0));
    }
    return result;
  };

  runner.mutantRun = (options) => {
    own = options.sandboxFileName.replace(/\.ts$/, ".test.ts");
    return mutantRun.call(runner, options);
  };

  runner.readMutantCoverage = () => {
    const all = { static: {}, perTest: {} };
    for (const file of runner.ctx.state.getFiles()) {
      const { mutantCoverage, collected } = file.meta;
      if (!mutantCoverage) continue;
      const path = relative(process.cwd(), file.filepath);
      const inFile = tests.filter(({ fileName }) => fileName === file.filepath);
      for (const { id } of inFile) all.perTest[id] = {};
      for (const [mutant, hits] of Object.entries(mutantCoverage.static)) {
        const before = collected[mutant] ?? 0;
        add(all.static, mutant, before);
        const inHooks = Math.ceil((hits - before) / inFile.length);
        for (const { id } of inFile) add(all.perTest[id], mutant, inHooks);
      }
      for (const [test, coverage] of Object.entries(mutantCoverage.perTest)) {
        const id = `${path}${test.slice(test.indexOf("#"))}`;
        for (const [mutant, hits] of Object.entries(coverage)) add(all.perTest[id], mutant, hits);
      }
    }
    return all;
  };

  runner.run = async (options) => {
    const result = await run.call(runner, options);
    if (result.status !== DryRunStatus.Complete) return result;
    tests = result.tests;
    const empty = runner.ctx.state
      .getFiles()
      .filter(({ tasks, result: outcome }) => tasks.length === 0 && outcome?.state === "fail");
    const failed = empty.map(({ filepath, result: { errors } }) => ({
      id: relative(process.cwd(), filepath),
      name: filepath,
      fileName: filepath,
      timeSpentMs: 0,
      status: TestStatus.Failed,
      failureMessage: errors?.[0]?.message ?? "the file has no tests",
    }));
    return { ...result, tests: [...failed, ...result.tests] };
  };

  return runner;
}
createRunner.inject = tokens(commonTokens.injector);

function add(coverage, id, hits) {
  if (hits > 0) coverage[id] = (coverage[id] ?? 0) + hits;
}

export const strykerPlugins = [declareFactoryPlugin(PluginKind.TestRunner, "vitest-by-file", createRunner)];
export { strykerValidationSchema };
