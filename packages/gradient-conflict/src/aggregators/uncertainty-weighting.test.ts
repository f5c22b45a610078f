import { expectClose } from "@dcr-js/testing";
import { expect, it } from "vitest";
import { expectRefusals, expectTorchJD, weighSteps } from "../../test/loss-weighting.js";
import { uncertaintyWeighting } from "./uncertainty-weighting.js";

it("weighs as TorchJD over five steps", () =>
  expectTorchJD("uncertaintyWeighting", uncertaintyWeighting({ learningRate: 0.05 })));

it("starts at LibMTL's weights and descends its own objective", () => {
  const [first, second] = weighSteps(uncertaintyWeighting({ learningRate: 0.1 }), [
    [2, 0.5],
    [2, 0.5],
  ]);
  const start = 1 / (2 * Math.exp(-0.5));
  expectClose(first, [start, start], { relative: 1e-12 });
  const next = [2, 0.5].map((loss) => -0.5 - 0.1 * (0.5 - loss * start));
  expectClose(
    second,
    next.map((s) => 1 / (2 * Math.exp(s))),
    { relative: 1e-12 },
  );
});

it("refuses what it cannot use", () => expectRefusals("uncertaintyWeighting", uncertaintyWeighting));

it("refuses a negative loss, whose weight would grow without bound", () => {
  expect(() => uncertaintyWeighting().weigh([1, 0, 0, 1], { losses: [-1, 0], names: ["a", "b"] })).toThrow(
    'uncertaintyWeighting: loss "a" must be a finite number, at least 0, got -1',
  );
});

it("changes a weight by a factor e at most, and comes to 1 / (2 L) of large losses", () => {
  const large = [1e4, 1];
  const [first, second, ...later] = weighSteps(uncertaintyWeighting(), new Array(2000).fill(large));
  expectClose([second[0] / first[0]], [Math.exp(-1)], { relative: 1e-12 });
  expectClose(
    later.at(-1)!,
    large.map((loss) => 1 / (2 * loss)),
    { relative: 1e-3 },
  );
  // One outlier costs a factor e, not the rest of the run.
  const after = weighSteps(uncertaintyWeighting(), [[1e30, 1], ...new Array(1000).fill([1, 1])]).at(-1)!;
  expectClose(after, [0.5, 0.5], { relative: 0.01 });
});
