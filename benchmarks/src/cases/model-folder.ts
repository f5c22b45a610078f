import { fileURLToPath } from "node:url";

/** The tiny pretrained models of the emoji example. */
export const modelFolder = (name: "clip" | "diffusion" | "diffusion/unet") =>
  fileURLToPath(new URL(`../../../examples/emoji/models/${name}`, import.meta.url));
