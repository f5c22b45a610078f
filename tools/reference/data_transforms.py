"""Golden numbers of Pillow, torchvision and transformers for packages/data.

Run: python tools/reference/data_transforms.py
Writes packages/data/fixtures/transforms.json. Images are made by `synthetic`, which src/transforms/golden.test.ts repeats.
"""

import base64
import json
import pathlib

import numpy as np
import torch
import torchvision
import torchvision.transforms as T
import torchvision.transforms.functional as F
import PIL
import transformers
from PIL import Image
from transformers.image_transforms import center_crop, get_resize_output_image_size
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
OUT = pathlib.Path(__file__).parents[2] / "packages/data/fixtures/transforms.json"


def synthetic(index, width, height):
    """Waves for even indices; for odd ones a pattern with edges everywhere, which overshoots in every filter."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    if index % 2 == 0:
        wave = (x * 5 + y * 3 + c * 40 + index * 11) % 510
        return np.where(wave > 255, 510 - wave, wave).astype(np.uint8)
    return ((x * 31 + y * 17 + c * 71 + x * y * 3 + index * 29) % 256).astype(np.uint8)


def sizes(index):
    return 7 + (index * 37) % 61, 5 + (index * 53) % 47


def encode(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def resize_cases():
    cases = []
    names = list(FILTERS)
    for i in range(40):
        width, height = sizes(i)
        image = Image.fromarray(synthetic(i, width, height))
        for down in (True, False):
            out = (3 + i % 13, 4 + (i * 3) % 11) if down else (width + 1 + i % 7, height + 2 + i % 5)
            name = names[(i + down) % 6]
            box = (0.5 + i % 3, 1.25, width - 1.5, height - 0.75) if i % 4 == 3 else None
            result = image.resize(out, FILTERS[name], box=box)
            case = {"image": i, "width": out[0], "height": out[1], "filter": name, "box": box}
            if down or i % 3 == 0:
                cases.append({**case, "data": encode(np.asarray(result))})
    return cases


def float_cases():
    cases = []
    for i, name in enumerate(FILTERS):
        width, height = sizes(i)
        array = synthetic(i, width, height).astype(np.float32) / np.float32(255)
        for out in ((9, 8), (width + 3, height + 1)):
            planes = [np.asarray(Image.fromarray(array[:, :, c]).resize(out, FILTERS[name])) for c in range(3)]
            if out[0] == 9 or i in (1, 3):
                cases.append({"image": i, "width": out[0], "height": out[1], "filter": name, "data": encode(np.stack(planes, -1))})
    return cases


def crop_cases():
    cases = []
    for i in range(0, 40, 3):
        width, height = sizes(i)
        image = synthetic(i, width, height)
        out = (3 + (i * 7) % 29, 2 + (i * 5) % 31)
        result = center_crop(image, (out[1], out[0]), input_data_format="channels_last", data_format="channels_last")
        cases.append({"image": i, "width": out[0], "height": out[1], "data": encode(result)})
    return cases


def edge_cases():
    cases = []
    for i in range(40):
        width, height = sizes(i)
        edge = 3 + (i * 19) % 224
        h, w = get_resize_output_image_size(
            np.zeros((height, width, 3)), edge, default_to_square=False, input_data_format="channels_last"
        )
        tw, th = T.Resize(edge)(Image.new("RGB", (width, height))).size
        assert (w, h) == (tw, th)
        cases.append({"width": width, "height": height, "edge": edge, "to": [w, h]})
    return cases


class Queue:
    """Numbers in [0, 1) in place of torch's generator, so that another library can draw the same."""

    def __init__(self, seed):
        self.numbers = np.random.RandomState(seed).randint(0, 2**32, 64, dtype=np.uint64).astype(float) / 2**32
        self.used = 0

    def next(self):
        self.used += 1
        return self.numbers[self.used - 1]

    def empty(self, _):
        queue = self

        class Draw:
            def uniform_(self, low, high):
                return torch.tensor([float(low) + (float(high) - float(low)) * queue.next()], dtype=torch.float64)

        return Draw()

    def randint(self, _low, high, size):
        return torch.tensor([int(self.next() * high)])


def random_crop_cases():
    cases = []
    real = torch.empty, torch.randint, torch.log
    for i in range(40):
        width, height = sizes(i)
        # Every third range is hard to meet, so that the fallback runs too.
        scale, ratio = [((0.9, 1.0), (0.9, 1.1)), ((0.08, 1.0), (3 / 4, 4 / 3)), ((0.9, 1.0), (2.5, 3.0))][i % 3]
        image = Image.fromarray(synthetic(i, width, height))
        queue = Queue(i)
        torch.empty, torch.randint = queue.empty, queue.randint
        torch.log = lambda x: real[2](x.double())
        top, left, h, w = T.RandomResizedCrop.get_params(image, scale, ratio)
        torch.empty, torch.randint, torch.log = real
        case = {"image": i, "scale": scale, "ratio": ratio, "draws": queue.numbers[: queue.used].tolist(), "box": [left, top, w, h]}
        if i % 4 == 0:
            result = F.resized_crop(image, top, left, h, w, [8, 8], F.InterpolationMode.BICUBIC)
            case["data"] = encode(np.asarray(result))
        cases.append(case)
    return cases


def jitter_cases():
    cases = []
    adjust = [F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue]
    for i in range(12):
        width, height = 6 + i % 5, 4 + i % 3
        tensor = torch.from_numpy(synthetic(i, width, height)).permute(2, 0, 1).float() / 255
        tensor[:, 0, 0] = 0.5
        queue = Queue(100 + i)
        factors = [0.6 + 0.8 * queue.next() for _ in range(3)] + [queue.next() - 0.5]
        results = [f(tensor, x) for f, x in zip(adjust, factors)]
        order = np.random.RandomState(i).permutation(4).tolist()
        together = tensor
        for k in order:
            together = adjust[k](together, factors[k])
        results = torch.stack(results + [together]).permute(0, 2, 3, 1)
        cases.append({"image": i, "width": width, "height": height, "factors": factors, "order": order, "data": encode(results.numpy())})
    return cases


def processor_cases():
    cases = []
    for i, (size, crop, resample) in enumerate(
        [
            ({"shortest_edge": 8}, {"height": 8, "width": 8}, 3),
            ({"shortest_edge": 6}, {"height": 9, "width": 7}, 2),
            ({"height": 7, "width": 9}, None, 3),
        ]
    ):
        width, height = sizes(i + 5)
        image = Image.fromarray(synthetic(i + 5, width, height))
        processor = CLIPImageProcessorPil(
            size=size, crop_size=crop or {"height": 1, "width": 1}, do_center_crop=crop is not None, resample=resample
        )
        values = processor(image, return_tensors="np")["pixel_values"][0].astype(np.float32)
        settings = {"size": size, "crop": crop, "resample": list(FILTERS)[resample]}
        cases.append({"image": i + 5, **settings, "data": encode(values.transpose(1, 2, 0))})
    return cases


if __name__ == "__main__":
    golden = {
        "made_by": f"Pillow {PIL.__version__}, torchvision {torchvision.__version__}, transformers {transformers.__version__}",
        "resize": resize_cases(),
        "resize_float": float_cases(),
        "center_crop": crop_cases(),
        "shortest_edge": edge_cases(),
        "random_resized_crop": random_crop_cases(),
        "color_jitter": jitter_cases(),
        "clip_processor": processor_cases(),
    }
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(golden))
    print(OUT.stat().st_size, "bytes")
