import type { Random } from "@dcr-js/tensor";
import { checkNumber, checkOptions } from "../shared/check-options.js";
import type { FactorValue } from "./factors.js";
import { fractions } from "./fractions.js";
import { checkScene, type Scene } from "./scene.js";
import type { Sprites } from "./sprites.js";

export interface RenderOptions {
  /** Width and height in pixels, at least 16. Drawings have 64 pixels, so scenes above 112 pixels are less sharp than they could be. Default 32. */
  size?: number;
  sprites: Sprites;
  /** Moves, scales and shades the scene a little; always by the same number of draws. */
  random: Random;
}

// All lengths are shares of the width, so that a scene looks the same at any size.
const PIXEL = 1 / 32;
/** Width of one drawing by the number of them. */
const widths: Record<FactorValue<"count">, Record<FactorValue<"size">, number>> = {
  1: { small: 10 * PIXEL, large: 17 * PIXEL },
  2: { small: 9 * PIXEL, large: 14 * PIXEL },
  3: { small: 7 * PIXEL, large: 10 * PIXEL },
};
const EXTRA_WIDTH = 7 * PIXEL;
/** Between two drawings. */
const GAP = 0.6 * PIXEL;
const colours: Record<FactorValue<"background">, readonly [number, number, number]> = {
  grey: [238, 238, 238],
  blue: [165, 200, 242],
  green: [178, 226, 165],
  pink: [244, 188, 190],
};
/** Centres of the drawings and of the extra object, which lies on the other side. Drawings stand in a line along the side. */
const places: Record<FactorValue<"position">, { x: number; y: number; extraX: number; extraY: number }> = {
  left: { x: 10 * PIXEL, y: 0.5, extraX: 27 * PIXEL, extraY: 0.5 },
  right: { x: 22 * PIXEL, y: 0.5, extraX: 5 * PIXEL, extraY: 0.5 },
  top: { x: 0.5, y: 10 * PIXEL, extraX: 0.5, extraY: 27 * PIXEL },
  bottom: { x: 0.5, y: 22 * PIXEL, extraX: 0.5, extraY: 5 * PIXEL },
};

/**
 * Draws a scene. Only sums, products and quotients of float64 numbers are involved, so the pixels are the same on every machine.
 *
 * @returns `[size, size, 3]` bytes, RGB
 * @throws on a scene with an unknown value, with its factor's name
 */
export function renderScene(scene: Scene, options: RenderOptions): Uint8Array {
  const {
    size = 32,
    sprites,
    random,
  } = checkOptions("renderScene", options, { size: true, sprites: true, random: true });
  checkNumber("renderScene: size", size, { min: 16, max: 4096, integer: true });
  checkScene("renderScene", scene);

  const [shade, slopeX, slopeY, scale, moveX, moveY, along] = fractions(random, 7);
  const between = (draw: number, low: number, high: number) => low + (high - low) * draw;
  const canvas = drawBackground(scene.background, size, {
    shade: between(shade, -12, 12),
    slopeX: between(slopeX, -17, 17),
    slopeY: between(slopeY, -17, 17),
  });

  const place = places[scene.position];
  const vertical = scene.position === "left" || scene.position === "right";
  const width = widths[scene.count][scene.size] * between(scale, 0.94, 1.06);
  const [x, y] = [place.x + between(moveX, -1.2, 1.2) * PIXEL, place.y + between(moveY, -1.2, 1.2) * PIXEL];
  const { identity: name, style, tint } = scene;
  const sprite = {
    sprites,
    name,
    style,
    tint,
    flipX: scene.facing === "right",
    flipY: scene.rotation === "upside down",
  };
  for (let i = 0; i < scene.count; i++) {
    const offset = (i - (scene.count - 1) / 2) * (width + GAP);
    drawSprite(canvas, size, {
      ...sprite,
      width,
      x: vertical ? x : x + offset,
      y: vertical ? y + offset : y,
    });
  }
  if (scene.extra !== "none") {
    const offset = between(along, -7, 7) * PIXEL;
    drawSprite(canvas, size, {
      ...{
        sprites,
        name: scene.extra,
        style,
        tint: "natural",
        flipX: false,
        flipY: false,
        width: EXTRA_WIDTH,
      },
      x: place.extraX + (vertical ? 0 : offset),
      y: place.extraY + (vertical ? offset : 0),
    });
  }
  const pixels = new Uint8Array(canvas.length);
  for (let i = 0; i < canvas.length; i++) pixels[i] = Math.floor(Math.min(255, Math.max(0, canvas[i])) + 0.5);
  return pixels;
}

/** A plane of one colour that gets brighter in one direction. */
function drawBackground(
  background: FactorValue<"background">,
  size: number,
  { shade, slopeX, slopeY }: { shade: number; slopeX: number; slopeY: number },
): Float64Array {
  const canvas = new Float64Array(size * size * 3);
  const colour = colours[background];
  for (let y = 0, at = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const light = shade + slopeX * ((x + 0.5) / size - 0.5) + slopeY * ((y + 0.5) / size - 0.5);
      for (let c = 0; c < 3; c++) canvas[at++] = colour[c] + light;
    }
  }
  return canvas;
}

interface DrawnSprite extends Omit<Parameters<Sprites["at"]>[0], "size"> {
  sprites: Sprites;
  /** The width, as a share of the scene's. */
  width: number;
  /** The centre, as a share of the scene's width. */
  x: number;
  y: number;
  flipX: boolean;
  flipY: boolean;
}

/** Lays a drawing over the canvas, moved to whole pixels; the part outside is cut off. */
function drawSprite(canvas: Float64Array, size: number, drawn: DrawnSprite): void {
  const { sprites, name, style, tint, width, flipX, flipY } = drawn;
  const pixels = Math.max(1, Math.floor(width * size + 0.5));
  const sprite = sprites.at({ name, style, tint, size: pixels });
  const left = Math.floor(drawn.x * size - pixels / 2 + 0.5);
  const top = Math.floor(drawn.y * size - pixels / 2 + 0.5);
  for (let y = Math.max(0, -top); y < Math.min(pixels, size - top); y++) {
    const row = flipY ? pixels - 1 - y : y;
    for (let x = Math.max(0, -left); x < Math.min(pixels, size - left); x++) {
      const from = (row * pixels + (flipX ? pixels - 1 - x : x)) * 4;
      const through = 1 - sprite[from + 3];
      const at = ((top + y) * size + left + x) * 3;
      for (let c = 0; c < 3; c++) canvas[at + c] = canvas[at + c] * through + sprite[from + c];
    }
  }
}
