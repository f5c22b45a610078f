import { readFileSync } from "node:fs";
import { expectClose, recordParity, relativeError } from "@dcr-js/testing";
import { expect } from "vitest";
import type { Aggregator } from "../src/aggregators/aggregator.js";

type Name = "dwa" | "famo" | "imtlL" | "randomWeighting" | "stch" | "uncertaintyWeighting" | "weightedSum";

/** Weights of TorchJD's scalarizers over five steps, made by tools/reference/loss_weighting.py. */
export const golden = JSON.parse(
  readFileSync(new URL("../fixtures/loss-weighting.json", import.meta.url), "utf8"),
) as Record<"losses" | Name, number[][]> & Record<"preference" | "ideal", number[]>;

/** Weights of LibMTL over the same steps, and of FairGrad for the matrices of aggregators.json, made by tools/reference/libmtl.py. */
export const libMTL = JSON.parse(
  readFileSync(new URL("../fixtures/libmtl.json", import.meta.url), "utf8"),
) as Record<"dwa" | "famo" | "gradNorm", number[][]> & {
  fairGrad: Record<string, Record<string, number[]>>;
};

/** The Gram matrix of two orthogonal gradients of lengths 2 and 1. */
export const gram = [4, 0, 0, 1];

/** Weighs over steps with the memory through JSON, as a resumed run does. */
export function weighSteps(
  aggregator: Aggregator,
  losses: number[][],
  of: readonly number[] = gram,
): number[][] {
  let memory: number[] | undefined;
  return losses.map((values, step) => {
    const result = aggregator.weigh(of, { step, losses: values, memory });
    memory = result.memory && JSON.parse(JSON.stringify(result.memory));
    return Array.from(result.weights);
  });
}

/** Compares five steps of an aggregator with TorchJD's. */
export function expectTorchJD(name: Name, aggregator: Aggregator): void {
  expectSteps({ name, peer: "TorchJD" }, aggregator, golden[name]);
}

/** Compares five steps of an aggregator with LibMTL's. */
export function expectLibMTL(name: "dwa" | "famo" | "gradNorm", aggregator: Aggregator): void {
  expectSteps({ name, peer: "LibMTL" }, aggregator, libMTL[name]);
}

function expectSteps(
  of: { name: string; peer: string },
  aggregator: Aggregator,
  expected: readonly number[][],
): void {
  const all = weighSteps(aggregator, golden.losses, [4, 0, 0, 0, 1, 0, 0, 0, 1]);
  expect(all.length).toBe(expected.length);
  for (const [step, weights] of all.entries()) {
    expectClose(weights, expected[step], { relative: 1e-7 });
    recordParity({ ...of, value: relativeError(weights, expected[step]) });
  }
}

/** Every aggregator that weighs by losses refuses these: missing or broken losses, unknown options, another's memory. */
export function expectRefusals(name: string, make: (options?: never) => Aggregator): void {
  const aggregator = make();
  expect(aggregator.needsLosses).toBe(true);
  expect(() => aggregator.weigh(gram)).toThrow(
    `${name}: context.losses must hold the values of 2 losses, got nothing`,
  );
  expect(() => aggregator.weigh(gram, { losses: [1, Number.NaN], names: ["a", "b"] })).toThrow(
    new RegExp(`^${name}: loss "b" must be a finite number,.* got NaN`),
  );
  expect(() => make({ rate: 1 } as never)).toThrow(`${name}: unknown option "rate"`);
  if (name === "stch") return;
  expect(() => aggregator.weigh(gram, { losses: [1, 1], memory: [1, 2, 3] })).toThrow(
    /memory must have \d entries, got 3; is it another aggregator's\?/,
  );
}
