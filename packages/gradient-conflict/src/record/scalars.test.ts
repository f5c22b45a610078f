import { expect, it } from "vitest";
import { conflictFromGroupedGram } from "../measure/conflict.js";
import { stepProjection } from "../measure/projection.js";
import { toScalars } from "./scalars.js";

it("names each number as a tracker shows it", () => {
  const [names, gram] = [
    ["con", "rec"],
    [4, -1, -1, 1],
  ];
  const conflict = conflictFromGroupedGram(names, {
    whole: Float64Array.from(gram),
    groups: { "layers.0": Float64Array.from([1, 1, 1, 1]) },
  });
  const scalars = toScalars({
    step: 3,
    values: { con: 1, rec: 0.5 },
    conflict,
    weights: { con: 2, rec: 1 },
    projection: stepProjection(names, gram, [2, 1]),
    curvature: { con: 3, rec: 0 },
    memory: [7],
  });
  expect(scalars).toEqual({
    "loss/con": 1,
    "loss/rec": 0.5,
    "gradient_norm/con": 2,
    "gradient_norm/rec": 1,
    "gradient_weight/con": 2,
    "gradient_weight/rec": 1,
    "gradient_share/con": 7 / 4,
    "gradient_share/rec": -1,
    "gradient_curvature/con": 3,
    "gradient_curvature/rec": 0,
    "gradient_cosine/con-rec": -0.5,
    "gradient_magnitude_similarity/con-rec": 0.8,
    "gradient_cosine/con-rec/layers.0": 1,
    "gradient_magnitude_similarity/con-rec/layers.0": 1,
  });
  const clash = conflictFromGroupedGram(["a", "b-c", "a-b", "c"], {
    whole: new Float64Array(16),
    groups: {},
  });
  expect(() => toScalars({ step: 0, conflict: clash })).toThrow(
    'two numbers have the tag "gradient_cosine/a-b-c"',
  );
});
