/** Both articles of patterns with `@` in the article's place, all of the first article first. */
const articles = (patterns: readonly string[]): string[] =>
  ["a", "the"].flatMap((article) => patterns.map((pattern) => pattern.replace("@", article)));

const cifar = articles([
  "a photo of @ {}.",
  "a blurry photo of @ {}.",
  "a black and white photo of @ {}.",
  "a low contrast photo of @ {}.",
  "a high contrast photo of @ {}.",
  "a bad photo of @ {}.",
  "a good photo of @ {}.",
  "a photo of @ small {}.",
  "a photo of @ big {}.",
]);

/** Patterns that ImageNet's and Caltech-101's templates share. */
const depictions = [
  "@ plastic {}.",
  "a sculpture of @ {}.",
  "a sketch of @ {}.",
  "a tattoo of @ {}.",
  "@ toy {}.",
  "a rendition of @ {}.",
  "@ embroidered {}.",
  "@ cartoon {}.",
  "@ {} in a video game.",
  "@ plushie {}.",
  "@ origami {}.",
  "art of @ {}.",
  "graffiti of @ {}.",
  "a drawing of @ {}.",
  "a doodle of @ {}.",
];

/**
 * The templates of CLIP's zero-shot evaluation (Radford et al. 2021, section 3.1.4; its prompt files), for `zeroShotClassifier`. The order
 * does not matter, since their features are averaged.
 */
export const zeroShotTemplates = {
  /** The 80 templates of ImageNet. */
  imagenet: [
    ...articles([
      ...depictions,
      "a bad photo of @ {}.",
      "a low resolution photo of @ {}.",
      "a rendering of @ {}.",
      "a cropped photo of @ {}.",
      "a bright photo of @ {}.",
      "a photo of @ clean {}.",
      "a photo of @ dirty {}.",
      "a dark photo of @ {}.",
      "a close-up photo of @ {}.",
      "a black and white photo of @ {}.",
      "a painting of @ {}.",
      "a pixelated photo of @ {}.",
      "a jpeg corrupted photo of @ {}.",
      "a blurry photo of @ {}.",
      "a photo of @ {}.",
      "a good photo of @ {}.",
      "a photo of @ nice {}.",
      "a photo of @ small {}.",
      "a photo of @ weird {}.",
      "a photo of @ large {}.",
      "a photo of @ cool {}.",
      "itap of @ {}.",
    ]),
    "a photo of many {}.",
    "a photo of the hard to see {}.",
    "a photo of a hard to see {}.",
    "a photo of my {}.",
    "a photo of one {}.",
    "itap of my {}.",
  ],
  cifar10: cifar,
  cifar100: cifar,
  caltech101: articles(["a photo of @ {}.", "a painting of @ {}.", ...depictions]),
  dtd: articles([
    "a photo of @ {} texture.",
    "a photo of @ {} pattern.",
    "a photo of @ {} thing.",
    "a photo of @ {} object.",
  ]),
  eurosat: [
    "a centered satellite photo of {}.",
    "a centered satellite photo of a {}.",
    "a centered satellite photo of the {}.",
  ],
  fgvcAircraft: articles(["a photo of @ {}, a type of aircraft."]),
  flowers102: ["a photo of a {}, a type of flower."],
  food101: ["a photo of {}, a type of food."],
  mnist: ['a photo of the number: "{}".'],
  oxfordPets: ["a photo of a {}, a type of pet."],
  stanfordCars: [
    "a photo of a {}.",
    "a photo of the {}.",
    "a photo of my {}.",
    "i love my {}!",
    "a photo of my dirty {}.",
    "a photo of my clean {}.",
    "a photo of my new {}.",
    "a photo of my old {}.",
  ],
  stl10: articles(["a photo of @ {}."]),
  sun397: articles(["a photo of @ {}."]),
} as const satisfies Record<string, readonly string[]>;
