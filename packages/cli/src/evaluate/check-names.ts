import type { ImageDataset } from "@dcr-js/data";
import { largestHeader } from "../shared/safetensors-header.js";

/** Checks that a safetensors header can hold the names of all images, before anything is encoded. @throws with the bytes that they take */
export function checkNames(dataset: ImageDataset): void {
  // A shard's names are known only when it is read.
  if (dataset.access === "stream") return;
  let bytes = 0;
  for (let i = 0; i < dataset.length; i++) {
    // JSON in JSON, and a comma.
    bytes += Buffer.byteLength(JSON.stringify(JSON.stringify(dataset.entry(i).name))) - 1;
  }
  if (bytes <= largestHeader - 1000) return;
  throw new Error(
    `--images: the names of ${dataset.length} images take ${bytes} bytes, and the header of a safetensors file at most ${largestHeader}; encode a part of them at a time`,
  );
}
