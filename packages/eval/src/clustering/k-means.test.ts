import "@tensorflow/tfjs-backend-cpu";
import { expectClose, expectNoLeaks, normalArray, recordParity } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { golden } from "../../test/golden.js";
import { clusteringAccuracy } from "./clustering-accuracy.js";
import { fitKMeans, kMeans } from "./k-means.js";
import { normalizedMutualInformation } from "./normalized-mutual-information.js";

/** Three blobs of 30 rows. */
function blobs(spread = 0.2) {
  const noise = normalArray(1, 90 * 3);
  const rows = Array.from({ length: 90 }, (_, i) =>
    [0, 1, 2].map((axis) => spread * noise[3 * i + axis] + (i % 3 === axis ? 5 : 0)),
  );
  return { rows, labels: rows.map((_, i) => i % 3) };
}

describe("kMeans", () => {
  it("finds the best clustering that scikit-learn finds", async () => {
    const { features, inertia } = golden.kMeans;
    const found = await fitKMeans(features, { clusters: 6, restarts: 20, tolerance: 0 });
    recordParity({ name: "fitKMeans", peer: "scikit-learn", value: Math.abs(found.inertia / inertia - 1) });
    expectClose([found.inertia], [inertia], { relative: 1e-6 });
  });

  it.each([undefined, 20])(
    "finds separate blobs, the same for the same seed, batches of %s",
    async (batchSize) => {
      const { rows, labels } = blobs();
      const features = tf.tensor2d(rows);
      await expectNoLeaks(async () => {
        const clusters = await kMeans(features, { clusters: 3, seed: 4, batchSize });
        expect(clusteringAccuracy(labels, clusters)).toBe(1);
        expect(await kMeans(features, { clusters: 3, seed: 4, batchSize })).toEqual(clusters);
      });
      features.dispose();
    },
  );

  it("draws as it always drew, so that reported numbers stay the same", async () => {
    const { rows } = blobs(3);
    const sizes = async (batchSize?: number) => {
      const { labels, inertia } = await fitKMeans(rows, { clusters: 12, restarts: 1, seed: 5, batchSize });
      const counts = new Array<number>(12).fill(0);
      for (const label of labels) counts[label]++;
      return { counts: counts.join(" "), inertia: Math.round(inertia) };
    };
    expect(await sizes()).toEqual({ counts: "10 6 9 15 3 3 7 9 4 7 9 8", inertia: 652 });
    expect(await sizes(16)).toEqual({ counts: "3 8 4 6 6 10 3 9 12 12 10 7", inertia: 645 });
    // Equal points: all weights of k-means++ are 0.
    const equal = await fitKMeans(new Array(5).fill([1, 2]), { clusters: 3 });
    expect(equal.inertia).toBe(0);
  });

  it("has the means as centres, in the features' unit, and their inertia", async () => {
    const { rows } = blobs();
    const { labels, centers, inertia } = await fitKMeans(rows, { clusters: 3 });
    let sum = 0;
    for (const [cluster, center] of centers.entries()) {
      const own = rows.filter((_, i) => labels[i] === cluster);
      expectClose(
        center,
        [0, 1, 2].map((axis) => own.reduce((total, row) => total + row[axis], 0) / own.length),
        { absolute: 1e-6 },
      );
      for (const row of own)
        sum += row.reduce((total, value, axis) => total + (value - center[axis]) ** 2, 0);
    }
    expectClose([inertia], [sum], { relative: 1e-6 });
  });

  it("does not depend on the unit, as scikit-learn's does not (its issues 22519 and 17039)", async () => {
    const { rows, labels } = blobs(3);
    const nmi: number[] = [];
    for (const exponent of [0, -10, -17, -60, -120, 100]) {
      const scaled = rows.map((row) => row.map((value) => Math.fround(value) * 2 ** exponent));
      nmi.push(normalizedMutualInformation(labels, await kMeans(scaled, { clusters: 3 })));
    }
    expect(new Set(nmi).size).toBe(1);
  });

  it("tells near points apart beside a far one, as scikit-learn's float32 does", async () => {
    // Products of float32 are equal for 0 and 1, since their squares are 1e-12 of the largest.
    const rows = Array.from({ length: 60 }, (_, i) => [[0, 1, 1e6][i % 3]]);
    for (const seed of [0, 1, 2, 3]) {
      for (const batchSize of [undefined, 60]) {
        const { labels, inertia } = await fitKMeans(rows, { clusters: 3, restarts: 1, seed, batchSize });
        expect(inertia).toBeLessThan(1);
        expect(
          clusteringAccuracy(
            rows.map((_, i) => i % 3),
            labels,
          ),
        ).toBe(1);
      }
    }
  });

  it("gives a cluster to each of as many rows, and takes equal rows", async () => {
    const { labels, inertia } = await fitKMeans([[0], [1], [2], [7]], { clusters: 4 });
    expect(new Set(labels).size).toBe(4);
    expect(inertia).toBe(0);
    expect((await fitKMeans([[3], [3], [3]], { clusters: 2 })).inertia).toBe(0);
  });

  it("stops after maxIterations, and where centres move less than the tolerance", async () => {
    const { rows } = blobs(4);
    expect((await fitKMeans(rows, { clusters: 8, restarts: 1, maxIterations: 1 })).iterations).toBe(1);
    const loose = await fitKMeans(rows, { clusters: 8, restarts: 1, tolerance: 1e6 });
    const exact = await fitKMeans(rows, { clusters: 8, restarts: 1, tolerance: 0 });
    expect(loose.iterations).toBe(1);
    expect(exact.iterations).toBeGreaterThan(1);
    expect(exact.inertia).toBeLessThan(loose.inertia);
  });

  it("keeps the best of its restarts", async () => {
    const { rows } = blobs(4);
    const inertias: number[] = [];
    for (const restarts of [1, 3, 9])
      inertias.push((await fitKMeans(rows, { clusters: 8, restarts })).inertia);
    expect(inertias[1]).toBeLessThanOrEqual(inertias[0]);
    expect(inertias[2]).toBeLessThanOrEqual(inertias[1]);
    expect(inertias[2]).toBeLessThan(inertias[0]);
  });

  it("types tfjs's random numbers as features", async () => {
    const features = tf.randomNormal([8, 4]);
    expect(await kMeans(features, { clusters: 2 })).toHaveLength(8);
    features.dispose();
  });

  it("refuses settings and features that give no clustering", async () => {
    const features = tf.tensor2d([
      [0, 1],
      [2, 1],
    ]);
    await expectNoLeaks(async () => {
      const refuse = (options: object, message: string) =>
        expect(kMeans(features, { clusters: 2, ...options })).rejects.toThrow(message);
      await refuse({ clusters: 0 }, "kMeans: clusters must be an integer, at least 1, got 0");
      await refuse({ clusters: 3 }, "kMeans: clusters must be an integer, at least 1 and at most 2, got 3");
      await refuse({ clusters: undefined }, "kMeans: clusters must be an integer, at least 1, got undefined");
      await refuse({ restarts: 0 }, "kMeans: restarts must be an integer, at least 1, got 0");
      await refuse({ maxIterations: 0.5 }, "kMeans: maxIterations must be an integer, at least 1, got 0.5");
      await refuse({ seed: -1 }, "kMeans: seed must be an integer, at least 0, got -1");
      await refuse({ tolerance: -1 }, "kMeans: tolerance must be a finite number, at least 0, got -1");
      await refuse(
        { batchSize: 4, tolerance: 1e-4 },
        "kMeans: tolerance is of Lloyd's iterations; expected none with batchSize, got 0.0001",
      );
      await refuse({ batchSize: 0 }, "kMeans: batchSize must be an integer, at least 1, got 0");
      await refuse({ k: 2 }, 'kMeans: unknown option "k"');
      await expect(
        kMeans(
          [
            [0, 1],
            [Number.NaN, 1],
          ],
          { clusters: 2 },
        ),
      ).rejects.toThrow("kMeans: features must be finite, row 1 is not");
    });
    features.dispose();
  });
});
