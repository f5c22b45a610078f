import { expect, it } from "vitest";
import { imagenetClassNames } from "./imagenet-class-names.js";

it("names each of ImageNet's 1000 classes once, at the places that CLIP's list has", () => {
  expect(imagenetClassNames).toHaveLength(1000);
  expect(new Set(imagenetClassNames).size).toBe(1000);
  for (const name of imagenetClassNames) expect(name).toMatch(/^\S+(?: \S+)*$/);
  const places = { 0: "tench", 134: "crane bird", 207: "Golden Retriever", 281: "tabby cat", 483: "castle" };
  const last = {
    517: "construction crane",
    639: "one-piece bathing suit",
    657: "missile",
    999: "toilet paper",
  };
  for (const [place, name] of Object.entries({ ...places, ...last }))
    expect(imagenetClassNames[Number(place)]).toBe(name);
  // Equal names in CLIP's list.
  expect([744, 836, 837].map((place) => imagenetClassNames[place])).toEqual([
    "projectile",
    "sunglass",
    "sunglasses",
  ]);
});
