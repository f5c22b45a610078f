import { createHash } from "node:crypto";
import { relative } from "node:path";
import { commonTokens, declareClassPlugin, PluginKind, tokens } from "@stryker-mutator/api/plugin";

/** A mutant by its place and its replacement. */
export function mutantKey(file, { location: { start, end }, mutatorName, replacement }) {
  return JSON.stringify([file, start.line, start.column, end.line, end.column, mutatorName, replacement]);
}

/**
 * Stryker's checker that lets through the mutants that the option `chosenMutants` asks for, and refuses the others: Stryker then leaves
 * them out of its score. `sample` mutants are drawn by the order of the hashes of `seed` and mutant; `only` lists mutants.
 */
class ChosenMutants {
  static inject = tokens(commonTokens.options);

  constructor({ chosenMutants = {} }) {
    this.chosen = chosenMutants;
  }

  async init() {}

  /** Stryker asks for all mutants of a run at once: one group. */
  async group(mutants) {
    return mutants.length > 0 ? [mutants.map(({ id }) => id)] : [];
  }

  async check(mutants) {
    const { sample, seed, only } = this.chosen;
    const keyed = mutants.map((mutant) => ({
      id: mutant.id,
      // Here lines and columns start at 0; in reports, at 1.
      key: mutantKey(relative(process.cwd(), mutant.fileName), {
        ...mutant,
        location: fromOne(mutant.location),
      }),
    }));
    const rank = new Map(keyed.map(({ id, key }) => [id, hash(`${seed} ${key}`)]));
    const drawn = keyed.toSorted((a, b) => (rank.get(a.id) < rank.get(b.id) ? -1 : 1)).slice(0, sample);
    const wanted = only && new Set(only);
    const passed = new Set(drawn.filter(({ key }) => wanted?.has(key) ?? true).map(({ id }) => id));
    return Object.fromEntries(
      mutants.map(({ id }) => [
        id,
        passed.has(id) ? { status: "passed" } : { status: "compileError", reason: "not chosen" },
      ]),
    );
  }
}

function fromOne({ start, end }) {
  const move = ({ line, column }) => ({ line: line + 1, column: column + 1 });
  return { start: move(start), end: move(end) };
}

function hash(text) {
  return createHash("sha256").update(text).digest("hex");
}

export const strykerPlugins = [declareClassPlugin(PluginKind.Checker, "chosen-mutants", ChosenMutants)];

export const strykerValidationSchema = {
  properties: {
    chosenMutants: {
      type: "object",
      properties: {
        sample: { type: "integer", minimum: 1 },
        seed: { type: "integer", minimum: 0 },
        only: { type: "array", items: { type: "string" } },
      },
      additionalProperties: false,
    },
  },
};
