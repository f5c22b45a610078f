import "@tensorflow/tfjs-backend-cpu";
import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import { expect, it } from "vitest";
import { winogroundScores } from "./winoground.js";

const at = (...degrees: number[]) =>
  degrees.map((angle) => [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180)]);

it("counts text, image and group as the paper does", async () => {
  // By column: all right; images prefer their captions alone; captions prefer their images alone; nothing; a tie of captions.
  const images0 = at(0, 40, 0, 0, 0);
  const images1 = at(90, 45, 90, 90, 90);
  const captions0 = at(10, 0, 85, 80, 45);
  const captions1 = at(80, 50, 89, 10, 45);
  await expectNoLeaks(async () => {
    const { examples, text, image, group, count, intervals } = await winogroundScores({
      images0,
      images1,
      captions0,
      captions1,
    });
    const cos = (angle: number) => Math.cos((angle * Math.PI) / 180);
    expectClose(examples[1].similarities, [cos(40), cos(45), cos(10), cos(5)], { absolute: 1e-6 });
    // From the similarities of each column, written out: caption i with image j.
    const expected = [0, 1, 2, 3, 4].map((i) => {
      const angle = (one: number[][], two: number[][]) => one[i][0] * two[i][0] + one[i][1] * two[i][1];
      const [c0i0, c0i1] = [angle(captions0, images0), angle(captions0, images1)];
      const [c1i0, c1i1] = [angle(captions1, images0), angle(captions1, images1)];
      const byText = c0i0 > c1i0 + 1e-6 && c1i1 > c0i1 + 1e-6;
      const byImage = c0i0 > c0i1 + 1e-6 && c1i1 > c1i0 + 1e-6;
      return { text: byText, image: byImage, group: byText && byImage };
    });
    expect(expected[0]).toEqual({ text: true, image: true, group: true });
    expect(expected[2]).toEqual({ text: true, image: false, group: false });
    expect(expected[3]).toEqual({ text: false, image: false, group: false });
    expect(expected[4]).toEqual({ text: false, image: false, group: false });
    for (const [i, { similarities: _, ...found }] of examples.entries()) expect(found).toEqual(expected[i]);
    expect(count).toBe(5);
    for (const [name, share] of Object.entries({ text, image, group })) {
      const key = name as "text" | "image" | "group";
      expect(share).toBe(expected.filter((example) => example[key]).length / 5);
      expect(intervals[key][0]).toBeLessThanOrEqual(share);
      expect(intervals[key][1]).toBeGreaterThanOrEqual(share);
    }
  });
});

it("asks the image score of each caption, the text score of each image", async () => {
  // Captions of one direction: every caption prefers image 0, so the image score fails, and texts tie.
  const { examples } = await winogroundScores({
    images0: at(0),
    images1: at(90),
    captions0: at(20),
    captions1: at(30),
  });
  expect(examples[0]).toMatchObject({ text: true, image: false, group: false });
  const { examples: turned } = await winogroundScores({
    images0: at(20),
    images1: at(30),
    captions0: at(0),
    captions1: at(90),
  });
  expect(turned[0]).toMatchObject({ text: false, image: true, group: false });
});

it("refuses rows that do not fit", async () => {
  await expectNoLeaks(async () => {
    const one = at(0);
    await expect(
      winogroundScores({ images0: one, images1: at(0, 1), captions0: one, captions1: one }),
    ).rejects.toThrow("winogroundScores: images1 must have 1 rows, as images0, got [2,2]");
    await expect(winogroundScores({ images0: one } as never)).rejects.toThrow(
      /winogroundScores: images1 must be a tensor/,
    );
    await expect(winogroundScores({ images: one } as never)).rejects.toThrow(
      /features: unknown option "images"/,
    );
  });
});
