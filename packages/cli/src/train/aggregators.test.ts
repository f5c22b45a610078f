import * as conflict from "@dcr-js/gradient-conflict";
import { describe, expect, it } from "vitest";
import { aggregatorNames } from "../config/run-config.js";
import { createAggregator } from "./aggregators.js";

describe("createAggregator", () => {
  it("knows every aggregator of the library that weighs two losses' gradients", () => {
    const functions = Object.values(conflict) as unknown as (() => unknown)[];
    const own = functions.flatMap((make) => {
      try {
        const made = make() as conflict.Aggregator | Promise<unknown>;
        if (made instanceof Promise) {
          made.catch(() => {});
          return [];
        }
        made.weigh([1, 0, 0, 1], { losses: [1, 1] });
        return [made.name];
      } catch {
        return [];
      }
    });
    const names = aggregatorNames.map((name) => createAggregator(name, 0)?.name ?? "weightedSum");
    expect(names.toSorted()).toEqual(own.toSorted());
  });

  it.each(aggregatorNames)("%s is named as the library names it", (name) => {
    const { name: own } = createAggregator(name, 3) ?? { name: "sum" };
    expect(own.toLowerCase()).toBe(name.replaceAll("-", ""));
  });
});
