import "@tensorflow/tfjs-backend-cpu";
import { expectClose, expectNoLeaks, recordParity } from "@dcr-js/testing";
import { expect, it } from "vitest";
import { golden } from "../../test/golden.js";
import { recallAtK } from "./recall-at-k.js";
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
    await refuse({ right: [Int32Array.of(0), Int32Array.of(2)] }, /right\[1\] must be an integer/);
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

it("search the other rows of one set, as metric learning does (scikit-learn's NearestNeighbors)", async () => {
  const { labels } = golden.knn;
  const { within } = golden.retrieval;
  const right = labels.map((label, i) => [...labels.keys()].filter((j) => j !== i && labels[j] === label));
  await expectNoLeaks(async () => {
    const typed = right.map((list) => Int32Array.from(list));
    for (const options of [
      { labels },
      { right },
      { right: typed },
      { labels: labels.map((label) => `class ${label}`) },
    ]) {
      const scores = await retrievalScores(features, undefined, options);
      const found = [scores.mAP, scores.rPrecision, ...[1, 5, 10].map((k) => scores.recall[k])];
      const expected = [within.mAP, within.rPrecision, ...[1, 5, 10].map((k) => within.recall[k])];
      expectClose(found, expected, { relative: 1e-12 });
    }
    const recall = await recallAtK(features, undefined, (i, j) => labels[i] === labels[j], [1, 5, 10]);
    expect(recall).toEqual(within.recall);
  });
});

it("refuse to search the queries as candidates of themselves, and labels beside what they replace", async () => {
  const rows = [
    [1, 0],
    [1, 0.1],
    [0, 1],
    [0.1, 1],
  ];
  const labels = [0, 0, 1, 1];
  const right = [[1], [0], [3], [2]];
  expect(await retrievalScores(rows, undefined, { labels, ks: [1] })).toMatchObject({
    recall: { 1: 1 },
    mAP: 1,
    rPrecision: 1,
  });
  const among = "query 0 is among the candidates, and no right one; leave candidates undefined";
  await expect(retrievalScores(rows, rows, { right })).rejects.toThrow(`retrievalScores: ${among}`);
  await expect(recallAtK(rows, rows, (i, j) => right[i][0] === j, [1])).rejects.toThrow(
    `recallAtK: ${among}`,
  );
  await expect(retrievalScores(rows, undefined, { right: [[0], [0], [0], [0]] })).rejects.toThrow(
    "retrievalScores: query 0 is no candidate of its own, and cannot be a right one",
  );
  await expect(retrievalScores(rows, undefined, { labels: [0, 0, 1, 2] })).rejects.toThrow(
    "retrievalScores: query 2 has no right candidate",
  );
  await expect(retrievalScores(rows, rows, { labels })).rejects.toThrow(
    "labels cannot be used with candidates",
  );
  await expect(retrievalScores(rows, undefined, { labels, right })).rejects.toThrow(
    "labels cannot be used with right",
  );
  await expect(retrievalScores(rows, undefined, { labels: [0, 0] })).rejects.toThrow(
    "retrievalScores: labels must hold 4 labels, one for each row, got 2",
  );
  await expect(retrievalScores(rows, undefined, { labels: 3 as never })).rejects.toThrow(
    "retrievalScores: labels must",
  );
});
