"""Small image files of every mode, and the RGB that Pillow reads from them, for packages/data.

Run: python tools/reference/data_decode.py
Writes packages/data/fixtures/decode.json: for each file its bytes and `ImageOps.exif_transpose(image).convert("RGB")`.
"""

import base64
import io
import json
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

from data_transforms import synthetic

OUT = pathlib.Path(__file__).parents[2] / "packages/data/fixtures/decode.json"
files = {}


def add(name, image, **options):
    kind = {"jpg": "JPEG", "tif": "TIFF"}.get(name.split(".")[-1], name.split(".")[-1].upper())
    stream = io.BytesIO()
    image.save(stream, format=kind, **options)
    add_bytes(name, stream.getvalue())


def add_bytes(name, data):
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    files[name] = {
        "file": base64.b64encode(data).decode(),
        "mode": image.mode,
        "width": image.width,
        "height": image.height,
        "rgb": base64.b64encode(np.asarray(image.convert("RGB")).tobytes()).decode(),
    }


def png16(array):
    """A PNG of 16 bits and three channels, which Pillow reads and does not write."""
    height, width, _ = array.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + body


edges = synthetic(1, 13, 9)
rgb = Image.fromarray(edges)
grey = Image.fromarray(edges[:, :, 0])
alpha = Image.fromarray(synthetic(3, 13, 9)[:, :, 0])
rgba = Image.merge("RGBA", (*rgb.split(), alpha))
palette = rgb.quantize(17)
waves = Image.fromarray(synthetic(2, 40, 30))

add("rgb.png", rgb)
add("grey.png", grey)
add("grey-alpha.png", Image.merge("LA", (grey, alpha)))
add("rgba.png", rgba)
add("palette.png", palette)
add("palette-transparent.png", palette, transparency=3)
add("grey-transparent.png", grey, transparency=5)
add("bilevel.png", grey.convert("1"))
add_bytes("rgb16.png", png16(edges.astype(np.uint16) * 256 + np.roll(edges, 1, 0)))
add("rgb.webp", rgb, lossless=True)
add("rgba.webp", rgba, lossless=True, exact=True)
add("rgb.tif", rgb)
add("lzw.tif", rgb, compression="tiff_lzw")
add("grey.tif", grey)
add("rgba.tif", rgba)
add("cmyk.tif", rgb.convert("CMYK"))
add("palette.gif", palette)
add("animated.gif", palette, save_all=True, append_images=[rgb.transpose(0).quantize(9)])
add("quality-75.jpg", waves, quality=75)
add("444.jpg", waves, quality=90, subsampling=0)
add("progressive.jpg", waves, quality=85, progressive=True)
add("grey.jpg", grey, quality=90)
add("cmyk.jpg", waves.convert("CMYK"), quality=95)
add("lossy.webp", waves, quality=80)
add("waves.avif", waves, quality=90)
for orientation in range(1, 9):
    exif = Image.Exif()
    exif[0x112] = orientation
    add(f"orientation-{orientation}.jpg", waves.crop((0, 0, 12, 7)), exif=exif, quality=95, subsampling=0)

OUT.write_text(json.dumps(files))
print(len(files), "files,", OUT.stat().st_size, "bytes")
