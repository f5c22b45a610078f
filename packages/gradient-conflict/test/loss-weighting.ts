import { readFileSync } from "node:fs";
import { expectClose, recordParity, relativeError } from "@dcr-js/testing";
import { expect } from "vitest";
import type { Aggregator } from "../src/aggregators/aggregator.js";

type Name =
  | "dwa"
  | "famo"
  | "gradNorm"
  | "imtlL"
  | "randomWeighting"
  | "stch"
  | "uncertaintyWeighting"
  | "weightedSum";

/** Weights of TorchJD's scalarizers, and of GradNorm's algorithm in PyTorch, over five steps, made by tools/reference/loss_weighting.py. */
export const golden = JSON.parse(
  readFileSync(new URL("../fixtures/loss-weighting.json", import.meta.url), "utf8"),
) as Record<"losses" | Name, number[][]> & Record<"preference" | "ideal", number[]>;

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

/** Compares five steps of an aggregator with its peer's. */
export function expectPeer(name: Name, aggregator: Aggregator, peer = "TorchJD"): void {
  const all = weighSteps(aggregator, golden.losses, [4, 0, 0, 0, 1, 0, 0, 0, 1]);
  for (const [step, weights] of all.entries()) {
    expectClose(weights, golden[name][step], { relative: 1e-7 });
    recordParity({ name, peer, value: relativeError(weights, golden[name][step]) });
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
