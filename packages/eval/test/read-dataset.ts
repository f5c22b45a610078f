import type { ImageDataset, ImageEntry } from "@dcr-js/data";

/** Every entry of a data set. */
export async function readDataset(dataset: ImageDataset): Promise<ImageEntry[]> {
  if (dataset.access === "random") return Array.from({ length: dataset.length }, (_, i) => dataset.entry(i));
  const entries: ImageEntry[] = [];
  for (let shard = 0; shard < dataset.shards; shard++) {
    for await (const entry of dataset.open(shard)) entries.push(entry);
  }
  return entries;
}

/** The pixels of an entry that is decoded already. */
export function pixelsOf({ content }: ImageEntry): number[] {
  if (!("image" in content)) throw new Error("expected decoded pixels");
  return Array.from(content.image.data);
}
