/** The eight controlled factors of a scene and their values. */
export const factors = {
  /** Where the front, the head or the narrow end points. */
  facing: ["left", "right"],
  rotation: ["upright", "upside down"],
  count: [1, 2, 3],
  position: ["left", "right", "top", "bottom"],
  size: ["small", "large"],
  tint: ["natural", "tinted"],
  background: ["grey", "blue", "green", "pink"],
  extra: ["none", "star", "heart", "clover"],
} as const;

export type Factor = keyof typeof factors;
/** A value of one factor. */
export type FactorValue<F extends Factor = Factor> = (typeof factors)[F][number];

/** The factors' names, in the order in which they are drawn. */
export const factorNames = Object.keys(factors) as Factor[];

/** Where a value stands in its factor's list. */
export function factorIndex(factor: Factor, value: FactorValue): number {
  return (factors[factor] as readonly FactorValue[]).indexOf(value);
}

export type Category = "animal" | "vehicle" | "food" | "object";

export interface IdentityFacts {
  /** The word for several of them. */
  plural: string;
  category: Category;
  /** True if CLIP's training scenes show it. */
  known: boolean;
}

/** The things that scenes show, by the word that captions use: 32 that CLIP is trained on, and 16 that it has never seen. */
export const identityFacts = {
  rat: { plural: "rats", category: "animal", known: true },
  tiger: { plural: "tigers", category: "animal", known: true },
  rabbit: { plural: "rabbits", category: "animal", known: true },
  horse: { plural: "horses", category: "animal", known: true },
  giraffe: { plural: "giraffes", category: "animal", known: true },
  elephant: { plural: "elephants", category: "animal", known: true },
  camel: { plural: "camels", category: "animal", known: true },
  kangaroo: { plural: "kangaroos", category: "animal", known: true },
  rooster: { plural: "roosters", category: "animal", known: true },
  duck: { plural: "ducks", category: "animal", known: true },
  flamingo: { plural: "flamingos", category: "animal", known: true },
  parrot: { plural: "parrots", category: "animal", known: true },
  whale: { plural: "whales", category: "animal", known: true },
  fish: { plural: "fishes", category: "animal", known: true },
  snail: { plural: "snails", category: "animal", known: true },
  turtle: { plural: "turtles", category: "animal", known: true },
  dinosaur: { plural: "dinosaurs", category: "animal", known: true },
  car: { plural: "cars", category: "vehicle", known: true },
  tractor: { plural: "tractors", category: "vehicle", known: true },
  firetruck: { plural: "firetrucks", category: "vehicle", known: true },
  bicycle: { plural: "bicycles", category: "vehicle", known: true },
  train: { plural: "trains", category: "vehicle", known: true },
  helicopter: { plural: "helicopters", category: "vehicle", known: true },
  rocket: { plural: "rockets", category: "vehicle", known: true },
  banana: { plural: "bananas", category: "food", known: true },
  carrot: { plural: "carrots", category: "food", known: true },
  drumstick: { plural: "drumsticks", category: "food", known: true },
  guitar: { plural: "guitars", category: "object", known: true },
  saxophone: { plural: "saxophones", category: "object", known: true },
  axe: { plural: "axes", category: "object", known: true },
  heel: { plural: "heels", category: "object", known: true },
  teapot: { plural: "teapots", category: "object", known: true },
  ox: { plural: "oxen", category: "animal", known: false },
  cat: { plural: "cats", category: "animal", known: false },
  pig: { plural: "pigs", category: "animal", known: false },
  swan: { plural: "swans", category: "animal", known: false },
  skunk: { plural: "skunks", category: "animal", known: false },
  shark: { plural: "sharks", category: "animal", known: false },
  shrimp: { plural: "shrimps", category: "animal", known: false },
  truck: { plural: "trucks", category: "vehicle", known: false },
  scooter: { plural: "scooters", category: "vehicle", known: false },
  speedboat: { plural: "speedboats", category: "vehicle", known: false },
  pepper: { plural: "peppers", category: "food", known: false },
  eggplant: { plural: "eggplants", category: "food", known: false },
  violin: { plural: "violins", category: "object", known: false },
  hammer: { plural: "hammers", category: "object", known: false },
  sneaker: { plural: "sneakers", category: "object", known: false },
  microscope: { plural: "microscopes", category: "object", known: false },
} as const satisfies Record<string, IdentityFacts>;

export type Identity = keyof typeof identityFacts;

/** All 48, the known ones first. An identity's place here is its class label. */
export const identities = Object.keys(identityFacts) as Identity[];
/** The 32 that CLIP is trained on. */
export const knownIdentities = identities.filter((name) => identityFacts[name].known);
/** The 16 that CLIP has never seen. */
export const unknownIdentities = identities.filter((name) => !identityFacts[name].known);

/** The sets of drawings. No model is trained on Twemoji. */
export const styles = ["noto", "fluent", "twemoji"] as const;
export type Style = (typeof styles)[number];
/** The styles that models are trained on. */
export const seenStyles: readonly Style[] = ["noto", "fluent"];
/** The styles that only the evaluation shows. */
export const heldOutStyles: readonly Style[] = ["twemoji"];
