import "@tensorflow/tfjs-backend-cpu";
import { expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { encodeTexts } from "./encode-texts.js";

const lengths = (texts: string[]) => texts.map((text) => [text.length, 1]);

it("encodes a batch at a time, in their order", async () => {
  const texts = ["a", "bb", "ccc", "dddd", "eeeee"];
  const sizes: number[] = [];
  await expectNoLeaks(async () => {
    const features = await encodeTexts(texts, {
      batchSize: 2,
      encodeText: (batch) => {
        sizes.push(batch.length);
        return batch.length === 1 ? lengths(batch) : tf.tensor2d(lengths(batch));
      },
    });
    expect(await features.array()).toEqual(lengths(texts));
    features.dispose();
  });
  expect(sizes).toEqual([2, 2, 1]);
});

it("names what is wrong, and leaves nothing behind", async () => {
  await expectNoLeaks(async () => {
    const refuse = (encodeText: unknown, message: string, texts: unknown = ["a", "b", "c"]) =>
      expect(
        encodeTexts(texts as string[], { encodeText: encodeText as never, batchSize: 2 }),
      ).rejects.toThrow(message);
    await refuse(lengths, "encodeTexts: texts must be a list of at least one text, got an array of 0", []);
    await refuse(lengths, 'encodeTexts: texts[1] must be a text, got ""', ["a", ""]);
    await refuse(3, "encodeTexts: encodeText must be a function, got 3");
    await refuse(() => tf.ones([1, 2]), "encodeText must return 2 rows, one for each text, got [1,2]");
    await refuse(
      (texts: string[]) => tf.ones([texts.length, texts.length]),
      "of one width, got [2,2] and [1,1]",
    );
    await refuse(() => Promise.reject(new Error("no tower")), "no tower");
    await refuse(
      () => [[Number.NaN], [1]],
      "encodeTexts: encodeText's features must be finite, row 0 is not",
    );
  });
});
