import { expect, it } from "vitest";
import { conflictOf } from "./raw-results.js";

it("tells conflict from near orthogonal gradients, over all steps and in each fifth", () => {
  // Two random directions in 400 dimensions have cosines with a deviation of 0.05.
  const cosines = [-0.5, -0.2, -0.09, 0.02, 0.1, 0.11, 0.3, -0.101, 0.2, -0.05];
  const { fifths, ...conflict } = conflictOf(cosines, 400);
  expect(conflict).toEqual({
    parameters: 400,
    meanCosine: expect.closeTo(-0.0211, 12),
    negative: 0.5,
    orthogonal: 0.4,
    conflicting: 0.3,
  });
  expect(fifths.map(({ conflicting }) => conflicting)).toEqual([1, 0, 0, 0.5, 0]);
  expect(fifths.map(({ meanCosine }) => meanCosine)).toEqual(
    [-0.35, -0.035, 0.105, 0.0995, 0.075].map((value) => expect.closeTo(value, 12)),
  );
});
