import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expectClose } from "@dcr-js/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { identities, styles } from "./factors.js";
import { loadSprites, type Sprites, spriteNames } from "./sprites.js";

let sprites: Sprites;
beforeAll(async () => {
  sprites = await loadSprites();
});

const tints = ["natural", "tinted"] as const;

describe("loadSprites", () => {
  it("has the drawings of the script that draws them, in its order", () => {
    const path = fileURLToPath(new URL("../../tools/sprites.json", import.meta.url));
    const { icons, sets } = JSON.parse(readFileSync(path, "utf8"));
    expect(Object.keys(icons)).toEqual(spriteNames);
    expect(Object.keys(sets)).toEqual([...styles]);
  });

  it("has trimmed drawings: each touches two opposite edges of its square", () => {
    for (const style of styles) {
      for (const name of spriteNames) {
        const sprite = sprites.at({ name, style, tint: "natural", size: 64 });
        const alpha = (x: number, y: number) => sprite[(y * 64 + x) * 4 + 3];
        const along = Array.from({ length: 64 }, (_, i) => i);
        const [left, right, top, bottom] = [
          along.some((y) => alpha(0, y) > 0.02),
          along.some((y) => alpha(63, y) > 0.02),
          along.some((x) => alpha(x, 0) > 0.02),
          along.some((x) => alpha(x, 63) > 0.02),
        ];
        expect((left && right) || (top && bottom), `${name} ${style}`).toBe(true);
      }
    }
  });

  it("resizes by area: the mean of all pixels stays", () => {
    for (const name of ["tiger", "bicycle"] as const) {
      const mean = (size: number) => {
        const sprite = sprites.at({ name, style: "noto", tint: "tinted", size });
        const sums = [0, 0, 0, 0];
        for (const [i, value] of sprite.entries()) sums[i % 4] += value / (size * size);
        return sums;
      };
      for (const size of [7, 10, 18, 32, 33, 100]) expectClose(mean(size), mean(64), { relative: 1e-6 });
    }
  });

  it("never has more colour than alpha, in the range of bytes", () => {
    for (const tint of tints) {
      for (const style of styles) {
        for (const name of spriteNames) {
          const sprite = sprites.at({ name, style, tint, size: 18 });
          for (let i = 0; i < sprite.length; i += 4) {
            const alpha = sprite[i + 3];
            expect(alpha >= 0 && alpha <= 1 + 1e-6).toBe(true);
            for (let c = 0; c < 3; c++) {
              expect(sprite[i + c] >= 0 && sprite[i + c] <= 255 * alpha + 1e-3).toBe(true);
            }
          }
        }
      }
    }
  });

  it("faces one way in all styles: mirrored, hardly any drawing looks more like the one of another style", () => {
    const luma = (name: (typeof identities)[number], style: (typeof styles)[number]) => {
      const sprite = sprites.at({ name, style, tint: "natural", size: 16 });
      const out: number[] = [];
      for (let i = 0; i < sprite.length; i += 4) {
        out.push(sprite[i + 3], (0.299 * sprite[i] + 0.587 * sprite[i + 1] + 0.114 * sprite[i + 2]) / 255);
      }
      return out;
    };
    const mirrored = (values: number[]) =>
      values.map((_, at) => {
        const [pixel, c] = [Math.floor(at / 2), at % 2];
        const [y, x] = [Math.floor(pixel / 16), pixel % 16];
        return values[(y * 16 + 15 - x) * 2 + c];
      });
    const doubtful: string[] = [];
    for (const name of identities) {
      for (const style of ["fluent", "twemoji"] as const) {
        const [reference, own] = [luma(name, "noto"), luma(name, style)];
        if (correlation(reference, mirrored(own)) > correlation(reference, own) + 0.02) {
          doubtful.push(`${name} ${style}`);
        }
      }
    }
    // Looked at one by one: they do face left, and are nearly symmetric or stand in another pose.
    expect(doubtful).toEqual(["rat twemoji", "turtle twemoji", "firetruck fluent", "pig fluent"]);
  });
});

function correlation(a: number[], b: number[]): number {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [ma, mb] = [mean(a), mean(b)];
  const dot = (x: number[], mx: number, y: number[], my: number) =>
    x.reduce((sum, value, i) => sum + (value - mx) * (y[i] - my), 0);
  return dot(a, ma, b, mb) / Math.sqrt(dot(a, ma, a, ma) * dot(b, mb, b, mb));
}
