import { Readable } from "node:stream";
import { expect, it } from "vitest";
import { createImageSource } from "./create-image-source.js";
import { imageStream } from "./custom-images.js";
import type { CustomImage } from "./dataset.js";

const images: CustomImage[] = ["a", "b", "c", "d"].map((name) => ({
  name,
  image: { data: new Uint8Array(12).fill(100), width: 2, height: 2 },
}));
type Source = Parameters<typeof imageStream>[0];
const options = { batchSize: 2, size: 2, shuffle: false, workers: 0 };

async function firstNames(source: Source): Promise<string[]> {
  const reader = await createImageSource(imageStream(source), options);
  try {
    for await (const { names } of reader) return names;
    return [];
  } finally {
    await reader.close();
  }
}

it("reads a stream that ends for good from its first image: no check uses it up", async () => {
  const web = new ReadableStream<CustomImage>({
    start(controller) {
      for (const image of images) controller.enqueue(image);
      controller.close();
    },
  });
  async function* generator() {
    yield* images;
  }
  const sources: Source[] = [Readable.from(images), web as unknown as Source, generator(), images.values()];
  for (const source of sources) {
    const { restartable } = imageStream(source);
    expect(restartable).toBe(false);
    expect(await firstNames(source)).toEqual(["a", "b"]);
  }
});

it("counts the images of what can be read again", async () => {
  const again = {
    [Symbol.asyncIterator]: async function* () {
      yield* images.slice(0, 1);
    },
  };
  for (const source of [again, images.slice(0, 1), () => images.slice(0, 1)]) {
    expect(imageStream(source).restartable).toBe(true);
    await expect(firstNames(source)).rejects.toThrow("holds 1");
  }
});

it("refuses a name that is no text: positions of two streams would be alike", () => {
  expect(() => imageStream(images, { name: 7 } as never)).toThrow("imageStream: name must be a text, got 7");
});
