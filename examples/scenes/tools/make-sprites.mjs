// Draws the sprites of the scenes: one PNG for each style, a row of 8 cells of 64 x 64 pixels after the other, in the order of
// sprites.json. Each drawing is trimmed, centred in a square, and faces left.
//
// The PNGs are committed, so that scenes have the same pixels everywhere, whichever librsvg draws SVG there. To make them anew:
//   npm install --no-save @iconify-json/noto@1.2.9 @iconify-json/fluent-emoji-flat@1.2.6 @iconify-json/twemoji@1.2.5
//   npm run sprites -w examples/scenes
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";

const CELL = 64;
const COLUMNS = 8;
/** Drawn larger than the cell, so that trimming cuts at a fraction of the cell's pixels. */
const DRAWN = 512;
/** A pixel belongs to the drawing when its alpha is larger. */
const VISIBLE = 20;

// Seen on a contact sheet: drawings whose front, head or narrow end points to the right.
const facesRight = {
  noto: ["rocket", "guitar", "heel", "violin", "sneaker"],
  fluent: ["rocket", "guitar", "heel", "violin", "sneaker"],
  twemoji: ["rocket", "guitar", "heel", "violin", "sneaker", "teapot"],
};

const example = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const { sets, icons } = JSON.parse(readFileSync(join(example, "tools/sprites.json"), "utf8"));

for (const [style, specifier] of Object.entries(sets)) {
  const [name, version] = splitSpecifier(specifier);
  const installed = JSON.parse(readFileSync(require.resolve(`${name}/package.json`), "utf8")).version;
  if (installed !== version) throw new Error(`${name}: expected version ${version}, got ${installed}`);
  const set = JSON.parse(readFileSync(require.resolve(`${name}/icons.json`), "utf8"));
  const cells = [];
  for (const [i, [sprite, icon]] of Object.entries(icons).entries()) {
    const cell = await drawSprite(svgOf(set, icon), facesRight[style].includes(sprite));
    cells.push({ input: cell, left: (i % COLUMNS) * CELL, top: Math.floor(i / COLUMNS) * CELL });
  }
  const rows = Math.ceil(cells.length / COLUMNS);
  const transparent = { r: 0, g: 0, b: 0, alpha: 0 };
  await sharp({
    create: { width: COLUMNS * CELL, height: rows * CELL, channels: 4, background: transparent },
  })
    .composite(cells)
    .png({ compressionLevel: 9 })
    .toFile(join(example, "sprites", `${style}.png`));
}

function splitSpecifier(specifier) {
  const at = specifier.lastIndexOf("@");
  return [specifier.slice(0, at), specifier.slice(at + 1)];
}

function svgOf(set, name) {
  const icon = set.icons[name];
  if (!icon) throw new Error(`${set.prefix}: has no icon ${name}`);
  const { left = 0, top = 0, width = set.width, height = set.height, body } = icon;
  return `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${DRAWN}" height="${DRAWN}" viewBox="${left} ${top} ${width} ${height}">${body}</svg>`;
}

/** A PNG of one cell. */
async function drawSprite(svg, mirror) {
  const { data, info } = await sharp(Buffer.from(svg))
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const box = visibleBox(data, info.width, info.height);
  const side = Math.max(box.width, box.height);
  const [x, y] = [Math.floor((side - box.width) / 2), Math.floor((side - box.height) / 2)];
  const square = await sharp(data, { raw: info })
    .extract(box)
    .extend({
      left: x,
      right: side - box.width - x,
      top: y,
      bottom: side - box.height - y,
      background: { r: 0, g: 0, b: 0, alpha: 0 },
    })
    .png()
    .toBuffer();
  const resized = sharp(square).resize(CELL, CELL, { kernel: "lanczos3" });
  return (mirror ? resized.flop() : resized).png().toBuffer();
}

function visibleBox(data, width, height) {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (data[(y * width + x) * 4 + 3] <= VISIBLE) continue;
      [left, right] = [Math.min(left, x), Math.max(right, x)];
      [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
    }
  }
  return { left, top, width: right - left + 1, height: bottom - top + 1 };
}
