import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ImageDataset, ImageEntry } from "../sources/dataset.js";
import { beginning, inOrder, type OrderOptions, type Place, shareOf } from "./order.js";

const entry = (name: string): ImageEntry => ({ name, content: { path: name } });

function indexed(length: number): ImageDataset {
  return {
    access: "random",
    description: "numbers",
    fingerprint: "",
    length,
    entry: (index) => entry(String(index)),
  };
}

function streamed(sizes: number[]): ImageDataset {
  return {
    access: "stream",
    description: "shards",
    fingerprint: "",
    shards: sizes.length,
    restartable: true,
    async *open(shard) {
      for (let i = 0; i < sizes[shard]!; i++) yield entry(`${shard}/${i}`);
    },
  };
}

const options: OrderOptions = { seed: 1, shuffle: true, shuffleBuffer: 5, rank: 0, world: 1 };

/** Names of an epoch, and the place after each. */
async function epochOf(dataset: ImageDataset, given: OrderOptions, from: Place = beginning) {
  const names: string[] = [];
  const places: Place[] = [];
  for await (const step of inOrder(dataset, given, from)) {
    if ("end" in step) return { names, places, end: step.after };
    names.push(step.entry.name);
    places.push(step.after);
  }
  throw new Error("the epoch has no end");
}

const datasets = fc.oneof(
  fc.integer({ min: 1, max: 40 }).map((n) => ({ dataset: indexed(n), n })),
  fc
    .array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 6 })
    .map((sizes) => ({ dataset: streamed(sizes), n: sizes.reduce((a, b) => a + b, 0) })),
);
const orders = fc.record({
  seed: fc.nat(),
  shuffle: fc.boolean(),
  shuffleBuffer: fc.integer({ min: 1, max: 12 }),
});

describe("inOrder", () => {
  it("ranks of a dataset with an index have shares of one length, so that no step of all ranks holds an image twice", async () => {
    const [world, batch, length] = [2, 3, 11];
    const given = { ...options, world };
    const ranks = await Promise.all(
      [0, 1].map(async (rank) => {
        const batches: string[][] = [];
        let names: string[] = [];
        for await (const step of inOrder(indexed(length), { ...given, rank }, beginning)) {
          // What does not fill a batch is left out, as createImageSource does.
          if ("end" in step) names = [];
          else if (names.push(step.entry.name) === batch) {
            batches.push(names);
            names = [];
          }
          if (batches.length === 200) return batches;
        }
        throw new Error("the epochs have an end");
      }),
    );
    const twice = ranks[0]!.filter((own, i) => new Set([...own, ...ranks[1]![i]!]).size < world * batch);
    expect(twice).toEqual([]);
    expect(shareOf(length, given)).toBe(5);
  });

  it("ranks partition every epoch", () =>
    fc.assert(
      fc.asyncProperty(
        datasets,
        orders,
        fc.integer({ min: 1, max: 5 }),
        fc.nat(3),
        async (data, order, world, epoch) => {
          const names: string[] = [];
          for (let rank = 0; rank < world; rank++) {
            const given = { ...order, rank, world };
            const part = await epochOf(data.dataset, given, { ...beginning, epoch });
            if (data.dataset.access === "random") expect(part.names.length).toBe(Math.floor(data.n / world));
            names.push(...part.names);
          }
          const { access } = data.dataset;
          expect(names.length).toBe(access === "random" ? data.n - (data.n % world) : data.n);
          expect(new Set(names).size).toBe(names.length);
        },
      ),
    ));

  it("goes on from the place after any image", () =>
    fc.assert(
      fc.asyncProperty(datasets, orders, fc.nat(), async ({ dataset }, order, pick) => {
        const given = { ...order, rank: 0, world: 1 };
        const { names, places, end } = await epochOf(dataset, given);
        if (names.length === 0) return;
        const at = pick % names.length;
        const rest = await epochOf(dataset, given, places[at]!);
        expect(rest.names).toEqual(names.slice(at + 1));
        expect(rest.end).toEqual(end);
        expect(end).toEqual({ ...beginning, epoch: 1 });
      }),
    ));

  it("keeps the order without shuffle, and has another one in each epoch with it", async () => {
    const plain = await epochOf(indexed(6), { ...options, shuffle: false });
    expect(plain.names).toEqual(["0", "1", "2", "3", "4", "5"]);
    const shards = await epochOf(streamed([2, 2]), { ...options, shuffle: false });
    expect(shards.names).toEqual(["0/0", "0/1", "1/0", "1/1"]);
    for (const dataset of [indexed(40), streamed([20, 20])]) {
      const first = await epochOf(dataset, options);
      const second = await epochOf(dataset, options, { ...beginning, epoch: 1 });
      expect(first.names).not.toEqual(second.names);
      expect(first.names.toSorted()).toEqual(second.names.toSorted());
    }
  });

  it("shuffles streamed images within the buffer", async () => {
    const { names } = await epochOf(streamed([100]), { ...options, shuffleBuffer: 10 });
    const numbers = names.map((name) => Number(name.slice(2)));
    expect(numbers.every((n, i) => Math.floor(n / 10) === Math.floor(i / 10))).toBe(true);
    expect(numbers.slice(0, 10)).not.toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it("ends where it is told to", async () => {
    const abort = new AbortController();
    let seen = 0;
    for await (const _ of inOrder(indexed(10), options, beginning, abort.signal)) {
      if (++seen === 3) abort.abort();
    }
    expect(seen).toBe(3);
  });
});
