/** Refuses a box of an image that is not in the batch. @param boxInd the image of each box, or null where the values are not known */
export function checkBoxImages(boxInd: ArrayLike<number> | null, batch: number): void {
  const images = Array.from(boxInd ?? []);
  const wrong = images.findIndex((image) => !(image >= 0 && image < batch));
  if (wrong < 0) return;
  throw new RangeError(
    `cropAndResize: boxInd must be at least 0 and below the batch of ${batch}, got ${images[wrong]} at ${wrong}`,
  );
}
