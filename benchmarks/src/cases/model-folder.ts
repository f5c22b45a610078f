import { fileURLToPath } from "node:url";

/** The tiny pretrained models of the scenes example. */
export const modelFolder = (name: "clip" | "diffusion" | "diffusion/unet") =>
  fileURLToPath(new URL(`../../../examples/scenes/models/set-0/${name}`, import.meta.url));
