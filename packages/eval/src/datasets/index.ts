export { imageTable, webDataset } from "@dcr-js/data";
export { type AROOrderOptions, aroOrder } from "./aro-order.js";
export {
  type VGAttributionOptions,
  type VGRelationOptions,
  vgAttribution,
  vgRelation,
} from "./aro-visual-genome.js";
export type { CaptionChoices } from "./caption-choices.js";
export { type CIFAR10Options, type CIFAR100Options, cifar10, cifar100 } from "./cifar.js";
export {
  type Caltech101Options,
  caltech101,
  classFolder,
  type DTDOptions,
  dtd,
  type ImageNetOptions,
  imageNet,
} from "./class-folders.js";
export { type EncodedImages, type EncodeImagesOptions, encodeImages } from "./encode-images.js";
export { type CaptionedImages, type KarpathyOptions, karpathy } from "./karpathy.js";
export { classNumbers, type LabelledImages } from "./labelled-images.js";
export { type MMVPVLM, type MMVPVLMOptions, mmvpPatterns, mmvpVLM } from "./mmvp-vlm.js";
export { type MNISTOptions, mnist } from "./mnist.js";
export { type NeighbourGalleryOptions, neighbourGallery } from "./neighbour-gallery.js";
export { type SugarCrepeOptions, sugarCrepe, sugarCrepeCategories } from "./sugar-crepe.js";
export { type Winoground, winoground } from "./winoground.js";
