import { expectClose } from "@dcr-js/testing";
import { expect, it } from "vitest";
import { lbfgs, type Objective } from "./lbfgs.js";

/** Rosenbrock's function in four dimensions; its minimum is 0 at (1, 1, 1, 1). */
const rosenbrock: Objective = async (x) => {
  const gradient = new Float64Array(4);
  let value = 0;
  for (let i = 0; i < 3; i++) {
    const [a, b] = [x[i + 1] - x[i] ** 2, 1 - x[i]];
    value += 100 * a ** 2 + b ** 2;
    gradient[i] += -400 * a * x[i] - 2 * b;
    gradient[i + 1] += 200 * a;
  }
  return { value, gradient };
};

it("finds the minimum of Rosenbrock's function", async () => {
  const start = Float64Array.of(-1.2, 1, -1.2, 1);
  const { x, value, converged, iterations } = await lbfgs(rosenbrock, start, {
    maxIterations: 200,
    tolerance: 1e-8,
  });
  expect(converged).toBe(true);
  expect(iterations).toBeLessThan(100);
  expectClose(x, [1, 1, 1, 1], { absolute: 1e-6 });
  expect(value).toBeLessThan(1e-12);
  expect([...start]).toEqual([-1.2, 1, -1.2, 1]);
});

it("needs no step at the minimum, and says where it had too few", async () => {
  const at = (x: number[], maxIterations: number) =>
    lbfgs(rosenbrock, Float64Array.from(x), { maxIterations, tolerance: 1e-8 });
  expect(await at([1, 1, 1, 1], 5)).toMatchObject({ iterations: 0, converged: true });
  expect(await at([-1.2, 1, 3, 4], 5)).toMatchObject({ iterations: 5, converged: false });
});
