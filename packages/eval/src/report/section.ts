/** Figures in rows. Numbers that are no integers have four digits, and from 1000 on one after the point. */
export interface TableSection {
  kind: "table";
  title: string;
  columns: string[];
  rows: (string | number)[][];
}

/** Shares with their intervals and counts, such as MMVP-VLM's patterns. */
export interface SharesSection {
  kind: "shares";
  title: string;
  shares: { name: string; value: number; interval?: [number, number]; count?: number }[];
}

/** Rows by class and prediction, as `confusionMatrix` counts them; above 100 classes the page shows the pairs that are confused most. */
export interface ConfusionSection {
  kind: "confusion";
  title: string;
  classes: (number | string)[];
  counts: number[][];
}

/** Points in the plane, as `projectTSNE` and `projectUMAP` find them, coloured by label. */
export interface PointsSection {
  kind: "points";
  title: string;
  points: [number, number][];
  labels?: (number | string)[];
}

/** Images with their nearest neighbours. */
export interface GallerySection {
  kind: "gallery";
  title: string;
  rows: { query: GalleryImage; neighbours: (GalleryImage & { similarity: number; right: boolean })[] }[];
}

export interface GalleryImage {
  /** A `data:image/...` URL. */
  image: string;
  caption: string;
}

export type Section = TableSection | SharesSection | ConfusionSection | PointsSection | GallerySection;
