import "@tensorflow/tfjs-backend-cpu";
import { expectNoLeaks, normalArray } from "@dcr-js/testing";
import { expect, it } from "vitest";
import { silhouette } from "../clustering/silhouette.js";
import { projectTSNE, projectUMAP } from "./project.js";

const noise = normalArray(1, 45 * 10);
const labels = Array.from({ length: 45 }, (_, i) => i % 3);
const features = labels.map((label, i) =>
  Array.from({ length: 10 }, (_, j) => 0.2 * noise[10 * i + j] + (j === label ? 5 : 0)),
);

it.each([
  ["projectTSNE", projectTSNE],
  ["projectUMAP", projectUMAP],
])("%s keeps separate blobs apart, the same for the same seed", async (_, project) => {
  await expectNoLeaks(async () => {
    const points = await project(features, { seed: 1 });
    expect(points).toHaveLength(45);
    expect(await silhouette(points, labels)).toBeGreaterThan(0.6);
    expect(await project(features, { seed: 1 })).toEqual(points);
    expect(await project(features, { seed: 2 })).not.toEqual(points);
    await expect(project(features.slice(0, 2))).rejects.toThrow(/features must have at least 3 rows, got 2/);
    await expect(project(features, { dim: 3 } as never)).rejects.toThrow(/unknown option "dim"/);
  });
});

it("refuses neighbourhoods as large as the data", async () => {
  await expect(projectTSNE(features, { perplexity: 45 })).rejects.toThrow(
    /perplexity must be .*less than 45, got 45/,
  );
  await expect(projectUMAP(features, { neighbors: 45 })).rejects.toThrow(
    /neighbors must be .*at most 44, got 45/,
  );
});
