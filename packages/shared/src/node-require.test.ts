import { expect, it } from "vitest";
import { nodeRequire } from "./node-require.js";

it("finds installed packages", () => {
  expect(nodeRequire().resolve("@tensorflow/tfjs-core/package.json")).toMatch(/tfjs-core[\\/]package\.json$/);
});
