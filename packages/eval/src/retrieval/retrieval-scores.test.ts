import "@tensorflow/tfjs-backend-cpu";
import { expectClose, expectNoLeaks, recordParity } from "@dcr-js/testing";
import { expect, it } from "vitest";
import { golden } from "../../test/golden.js";
import { imageTextRetrieval, retrievalScores } from "./retrieval-scores.js";

const { features, queries } = golden.knn;
const { right, mAP, mrr, rPrecision, recall } = golden.retrieval;

it("are scikit-learn's and NumPy's", async () => {
  await expectNoLeaks(async () => {
    const scores = await retrievalScores(queries, features, { right });
    const found = [scores.mAP, scores.mrr, scores.rPrecision, ...[1, 5, 10].map((k) => scores.recall[k])];
    const expected = [mAP, mrr, rPrecision, recall[1], recall[5], recall[10]];
    expectClose(found, expected, { relative: 1e-12 });
    for (const [i, value] of found.entries()) {
      recordParity({
        name: "retrievalScores",
        peer: i === 0 ? "scikit-learn" : "NumPy",
        value: Math.abs(value - expected[i]),
      });
    }
  });
});

it("count ties against the query", async () => {
  // Candidates 0 and 1 are parallel, so that the right one stands second.
  const scores = await retrievalScores(
    [[1, 0]],
    [
      [1, 0],
      [3, 0],
      [0, 1],
    ],
    { right: [[0]], ks: [1, 2] },
  );
  expect(scores).toMatchObject({ recall: { 1: 0, 2: 1 }, mAP: 1 / 2, mrr: 1 / 2, rPrecision: 0 });
  expect([...scores.ranks]).toEqual([1]);
});

it("search both ways, with several texts of an image", async () => {
  const images = [
    [1, 0],
    [0, 1],
  ];
  // Texts 0 and 1 describe image 0, and 2 and 3 image 1; text 1 says the wrong thing.
  const texts = [
    [1, 0.1],
    [0.1, 1],
    [0.3, 1],
    [0.4, 1],
  ];
  await expectNoLeaks(async () => {
    const { imageToText, textToImage } = await imageTextRetrieval(images, texts, {
      imageOf: [0, 0, 1, 1],
      ks: [1, 2],
    });
    expect(imageToText.recall).toEqual({ 1: 0.5, 2: 1 });
    expect([...imageToText.ranks]).toEqual([0, 1]);
    // Image 0 finds text 0 first and text 1 last; image 1 finds its texts second and third.
    expect(imageToText.mAP).toBeCloseTo(((1 + 2 / 4) / 2 + (1 / 2 + 2 / 3) / 2) / 2, 12);
    expect(textToImage.recall).toEqual({ 1: 3 / 4, 2: 1 });
  });
});

it("refuse right candidates that are not there", async () => {
  const two = [[1], [2]];
  await expectNoLeaks(async () => {
    const refuse = (options: object, message: RegExp) =>
      expect(retrievalScores(two, two, options as never)).rejects.toThrow(message);
    await refuse({ right: [[0], [2]] }, /right\[1\] must be an integer, at least 0 and at most 1, got 2/);
    await refuse({ right: [[0]] }, /right\[1\] must be a list of candidates, got undefined/);
    await refuse({ right: [[0], []] }, /query 1 has no right candidate/);
    await refuse({ right: [[0], [1], [0]] }, /right must have a list for each of 2 queries, got 3/);
    await refuse({}, /right must be a list for each query, got undefined/);
    await refuse({ right: [[0], [1]], k: 5 }, /unknown option "k"/);
    await expect(imageTextRetrieval(two, two, { imageOf: [0, 0] })).rejects.toThrow(
      "imageTextRetrieval: image 1 has no text in imageOf",
    );
    await expect(imageTextRetrieval(two, two, { imageOf: [0, 2] })).rejects.toThrow(
      "imageTextRetrieval: imageOf[1] must be an integer, at least 0 and at most 1, got 2",
    );
    await expect(imageTextRetrieval(two, two, { imageOf: [0, 1, 1] })).rejects.toThrow(
      "imageTextRetrieval: imageOf must hold an image for each of 2 texts, got 3",
    );
    await expect(imageTextRetrieval(two, two, { imageOf: [] })).rejects.toThrow(
      /imageOf must hold an image for each text/,
    );
  });
});
