export type { ImageBatch, ImageSource, SourcePosition } from "./sources/image-source.js";
