import "@tensorflow/tfjs-backend-cpu";
import { decodeImage, imageArray, imageStream } from "@dcr-js/data";
import { expectNoLeaks } from "@dcr-js/testing";
import { expect, it } from "vitest";
import { reportHTML } from "../report/evaluation-report.js";
import { neighbourGallery } from "./neighbour-gallery.js";

/** Images of one colour; the features are the colours. */
const colours = [
  [250, 0, 0],
  [240, 20, 0],
  [0, 0, 200],
  [0, 30, 220],
  [0, 200, 0],
];
const labels = ["red", "red", "blue", "blue", "green"];
const images = colours.map((colour, i) => ({
  name: `${i}.png`,
  image: {
    data: Uint8Array.from({ length: 200 * 100 * 3 }, (_, at) => colour[at % 3]),
    width: 200,
    height: 100,
  },
}));
async function* stream() {
  yield* images;
}

it.each([
  ["a list", imageArray(images)],
  ["a stream", imageStream(stream, { name: "colours" })],
])("shows images of %s beside their neighbours", async (_, dataset) => {
  await expectNoLeaks(async () => {
    const section = await neighbourGallery(dataset, { features: colours, labels, k: 2, size: 40 });
    expect(section.rows.map(({ query }) => query.caption)).toEqual(labels);
    const [first, , , , last] = section.rows;
    expect(first.neighbours.map(({ caption, right }) => [caption, right])).toEqual([
      ["red", true],
      ["blue", false],
    ]);
    expect(last.neighbours.every(({ right }) => !right)).toBe(true);
    expect(first.neighbours[0].similarity).toBeCloseTo(240 / Math.hypot(240, 20), 6);
    const picture = await decodeImage(Buffer.from(first.query.image.split(",")[1], "base64"));
    expect([picture.width, picture.height, ...picture.data.slice(0, 3)]).toEqual([40, 20, 250, 0, 0]);
    expect(reportHTML({ title: "t", sections: [section] })).toContain('<figure class="right">');
  });
});

it("takes queries at equal distances", async () => {
  const section = await neighbourGallery(imageArray(images), { features: colours, labels, queries: 2 });
  expect(section.rows.map(({ query }) => query.caption)).toEqual(["red", "blue"]);
  expect(section.rows[0].neighbours).toHaveLength(4);
});

it("names images that are missing or cannot be read", async () => {
  await expect(
    neighbourGallery(imageArray(images.slice(0, 3)), { features: colours, labels }),
  ).rejects.toThrow(/neighbourGallery: .* has no image [34], and there are 5 labels/);
  const broken = imageArray([{ name: "x.png", image: Uint8Array.of(1, 2) }, ...images.slice(1)]);
  await expect(neighbourGallery(broken, { features: colours, labels })).rejects.toThrow(
    /neighbourGallery: x\.png: /,
  );
  await expect(
    neighbourGallery(imageArray(images), { features: colours, labels: labels.slice(1) }),
  ).rejects.toThrow("neighbourGallery: labels must hold 5 labels, one for each row, got 4");
});
