import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { applyEvalTransform } from "@dcr-js/data";
import { initialize, readSafetensors } from "@dcr-js/tensor";
import { expectClose, expectCloseNorm, expectNoLeaks } from "@dcr-js/testing";
import { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { CLIPImageProcessor } from "../clip/clip-image-processor.js";
import { loadImageEncoder } from "../load-encoder.js";
import { SiglipImageProcessor } from "../siglip/siglip-image-processor.js";
import type { ImageProcessorConfig } from "./image-processor.js";

const fixture = (name: string) => fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url));
const keys = JSON.parse(await readFile(fixture("config-keys.json"), "utf8"));
beforeAll(() => initialize({ device: "cpu" }));

const clip = {
  resize: { shortestEdge: 224 },
  crop: { height: 224, width: 224 },
  resample: "bicubic",
  rescaleFactor: 1 / 255,
  normalize: {
    mean: [0.48145466, 0.4578275, 0.40821073],
    std: [0.26862954, 0.26130258, 0.27577711],
  },
};
const siglip = {
  resize: { height: 224, width: 224 },
  crop: undefined,
  resample: "bicubic",
  rescaleFactor: 1 / 255,
  normalize: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
};

describe("image processors", () => {
  it("have transformers' defaults where keys are absent or null", () => {
    const empty = Object.fromEntries(Object.keys(keys.CLIPImageProcessor).map((key) => [key, null]));
    for (const config of [{}, empty, keys.CLIPImageProcessor]) {
      expect(new CLIPImageProcessor(config).transform).toEqual(clip);
    }
    for (const config of [{}, empty, keys.SiglipImageProcessor]) {
      expect(new SiglipImageProcessor(config).transform).toEqual(siglip);
    }
  });

  it.each<[string, ImageProcessorConfig & Record<string, unknown>, object]>([
    [
      "openai/clip-vit-large-patch14-336",
      {
        crop_size: 336,
        do_center_crop: true,
        do_normalize: true,
        do_resize: true,
        feature_extractor_type: "CLIPFeatureExtractor",
        image_mean: [0.48145466, 0.4578275, 0.40821073],
        image_std: [0.26862954, 0.26130258, 0.27577711],
        resample: 3,
        size: 336,
      },
      { ...clip, resize: { shortestEdge: 336 }, crop: { height: 336, width: 336 } },
    ],
    [
      "facebook/metaclip-l14-fullcc2.5b",
      {
        crop_size: { height: 224, width: 224 },
        do_center_crop: true,
        do_convert_rgb: true,
        do_normalize: true,
        do_rescale: true,
        do_resize: true,
        image_mean: [0.48145466, 0.4578275, 0.40821073],
        image_processor_type: "CLIPFeatureExtractor",
        image_std: [0.26862954, 0.26130258, 0.27577711],
        processor_class: "CLIPProcessor",
        resample: 3,
        rescale_factor: 0.00392156862745098,
        size: { shortest_edge: 224 },
      },
      clip,
    ],
    [
      "both edges",
      { size: { height: 8, width: 9 }, do_center_crop: false, resample: 2 },
      { ...clip, resize: { height: 8, width: 9 }, crop: undefined, resample: "bilinear" },
    ],
    [
      "a list",
      { size: [8, 9], resample: 1 },
      { ...clip, resize: { height: 8, width: 9 }, resample: "lanczos" },
    ],
    [
      "one number for a square",
      { size: 8, default_to_square: true },
      { ...clip, resize: { height: 8, width: 8 } },
    ],
    [
      "one number for all channels",
      { image_mean: 0.5, image_std: 0.25 },
      { ...clip, normalize: { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] } },
    ],
    [
      "nothing done",
      { do_resize: false, do_center_crop: false, do_normalize: false, do_rescale: false },
      { resize: undefined, crop: undefined, resample: "bicubic", rescaleFactor: 1, normalize: undefined },
    ],
    [
      "the faster form",
      {
        image_processor_type: "CLIPImageProcessorFast",
        device: null,
        disable_grouping: null,
        do_pad: null,
        default_to_square: false,
        rescale_factor: 1 / 127.5,
      },
      { ...clip, rescaleFactor: 1 / 127.5 },
    ],
  ])("resolve settings: %s", (_, config, expected) => {
    const processor = new CLIPImageProcessor(config);
    expect(processor.transform).toEqual(expected);
    // The settings that it writes are read to the same.
    expect(new CLIPImageProcessor(processor.config).transform).toEqual(expected);
  });

  it("take the keys of every version that change nothing", () => {
    const config = {
      ...{ auto_map: {}, data_format: "channels_first", device: "cpu", disable_grouping: true },
      ...{ do_convert_rgb: true, feature_extractor_type: "CLIPFeatureExtractor", image_seq_length: 3 },
      ...{ input_data_format: "channels_last", model_input_names: ["pixel_values"], return_tensors: "pt" },
      ...{ processor_class: "CLIPProcessor", do_pad: false, use_square_size: false },
    };
    expect(new CLIPImageProcessor(config as never).transform).toEqual(clip);
  });

  it("read google/siglip-so400m-patch14-384 as it is published", () => {
    const published = {
      do_convert_rgb: null,
      do_normalize: true,
      do_rescale: true,
      do_resize: true,
      image_mean: [0.5, 0.5, 0.5],
      image_processor_type: "SiglipImageProcessor",
      image_std: [0.5, 0.5, 0.5],
      processor_class: "SiglipProcessor",
      resample: 3,
      rescale_factor: 0.00392156862745098,
      size: { height: 384, width: 384 },
    };
    expect(new SiglipImageProcessor(published as never).transform).toEqual({
      ...siglip,
      resize: { height: 384, width: 384 },
    });
  });

  it("write what transformers writes", () => {
    expect(new CLIPImageProcessor().config).toEqual(keys.CLIPImageProcessor);
    expect(new SiglipImageProcessor().config).toEqual({
      ...keys.SiglipImageProcessor,
      do_center_crop: false,
    });
  });

  it.each<[Record<string, unknown>, RegExp | string]>([
    [{ image_std: [1, 0, 1] }, /image_std: expected numbers above 0, got \[1,0,1\]/],
    [{ image_mean: [0.5, 0.5] }, /image_mean: .*got \[0\.5,0\.5\]/],
    [{ resample: 6 }, /resample: .*got 6/],
    [
      { size: { shortest_edge: 224, longest_edge: 448 } },
      'size: expected pixels from 1 to 16384: an edge, [height, width], { height, width } or { shortest_edge }, got {"shortest_edge":224,"longest_edge":448}',
    ],
    [{ image_mean: [0.5] }, "image_mean: expected a number or three, got [0.5]"],
    [{ size: { max_pixels: 9 } }, /size: /],
    [{ size: 1e9 }, /size: .*got 1000000000/],
    [{ do_pad: true }, /do_pad: changes the result and is supported only at false, got true/],
    [{ do_sharpen: true }, /do_sharpen: unknown key, got true/],
    [{ rescale_factor: 0 }, /rescale_factor: .*got 0/],
    [
      { image_processor_type: "ViTImageProcessor" },
      /image_processor_type must be one of CLIPImageProcessor, .*got "ViTImageProcessor"/,
    ],
    [{ crop_size: { shortest_edge: 3 } }, /crop_size must have height and width, got \{"shortest_edge":3\}/],
    [{ crop_size: { height: 3 } }, /crop_size: /],
    [{ size: { height: 3, width: 3, shortest_edge: 3 } }, /size: /],
    [{ do_normalize: 1 }, /do_normalize: .*got 1/],
  ])("refuse %j", (config, message) => {
    expect(() => new CLIPImageProcessor(config as never)).toThrow(message);
  });

  // [key, the outermost values that are taken, values beyond them]
  it.each<[string, unknown[], unknown[]]>([
    ["size", [1, 16_384, [1, 16_384]], [0, 16_385, 1.5, [0, 1], [1, 1, 1]]],
    ["crop_size", [1, 16_384, [1, 16_384]], [0, 16_385, 1.5, [0, 1]]],
    ["resample", [0, 5], [-1, 6, 0.5]],
    ["rescale_factor", [1e-9, 1e4], [0, -1, 1.0001e4]],
    ["image_mean", [-1e4, 1e4, [-2, 0, 2]], [-1.0001e4, 1.0001e4, [0, 0], "0"]],
    ["image_std", [1e-9, 1e4, [1, 2, 3]], [0, -1, 1.0001e4, [1, 1, 0], [1, -1, 1]]],
  ])("take %s only within its bounds", (key, inside, outside) => {
    for (const value of inside)
      expect(() => new CLIPImageProcessor({ [key]: value } as never), String(value)).not.toThrow();
    for (const value of outside)
      expect(() => new CLIPImageProcessor({ [key]: value } as never), String(value)).toThrow(
        new RegExp(`: ${key}[.0-9]*: `),
      );
  });

  it.each([
    [CLIPImageProcessor, "CLIP", "Siglip"],
    [SiglipImageProcessor, "Siglip", "CLIP"],
  ])("know their names of every version, and each other's for another's", (Class, own, other) => {
    for (const key of ["image_processor_type", "feature_extractor_type"]) {
      for (const type of ["ImageProcessor", "ImageProcessorFast", "ImageProcessorPil"]) {
        expect(() => new Class({ [key]: own + type } as never)).not.toThrow();
        expect(() => new Class({ [key]: other + type } as never)).toThrow(`${key} must be one of ${own}`);
      }
    }
  });

  it("know Pillow's interpolations by their codes", () => {
    const names = [0, 1, 2, 3, 4, 5].map(
      (resample) => new CLIPImageProcessor({ resample }).transform.resample,
    );
    expect(names).toEqual(["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"]);
    expect(new CLIPImageProcessor({ resample: 4 }).config["resample"]).toBe(4);
  });

  it("know their options by name", () => {
    for (const Processor of [CLIPImageProcessor, SiglipImageProcessor]) {
      expect(() => new Processor({}, { acceptKey: ["x"] } as never)).toThrow(
        `${Processor.name}: unknown option "acceptKey"`,
      );
    }
  });

  it("need a crop_size where a class has none", () => {
    expect(() => new SiglipImageProcessor({ do_center_crop: true })).toThrow(
      /crop_size must have height and width/,
    );
    expect(new SiglipImageProcessor({ do_center_crop: true, crop_size: 5 }).transform.crop).toEqual({
      height: 5,
      width: 5,
    });
  });

  it("normalise as transformers does, and leak nothing", async () => {
    const golden = await readSafetensors(fixture("clip-quick-gelu/processor.safetensors"));
    const processor = await CLIPImageProcessor.fromPretrained(fixture("clip-quick-gelu"));
    await expectNoLeaks(() => {
      const normalized = processor.normalize(golden["images"] as tf.Tensor4D);
      expectClose(normalized, golden["normalized"]!, { absolute: 2e-6 });
      normalized.dispose();
    });
    tf.dispose(golden);
  });

  it("rescale what stands for 0..255 by their own factor", () => {
    tf.tidy(() => {
      const images = tf.fill([1, 1, 1, 3], 0.5) as tf.Tensor4D;
      const values = (config: ImageProcessorConfig) =>
        Array.from(new CLIPImageProcessor(config).normalize(images).dataSync());
      expect(values({ do_normalize: false })).toEqual([0.5, 0.5, 0.5]);
      expect(values({ do_normalize: false, do_rescale: false })).toEqual([127.5, 127.5, 127.5]);
      expect(values({ rescale_factor: 1 / 127.5, image_mean: 0.5, image_std: 0.25 })).toEqual([2, 2, 2]);
    });
  });

  it("refuse what is no image in [0, 1]", () => {
    tf.tidy(() => {
      const processor = new CLIPImageProcessor();
      const refused = (images: tf.Tensor) => () => processor.normalize(images as tf.Tensor4D);
      expect(refused(tf.zeros([1, 3, 8, 8]))).toThrow(
        /images must be \[batch, height, width, 3\], got \[1,3,8,8\]/,
      );
      expect(refused(tf.zeros([1, 2, 2, 3], "int32"))).toThrow(/must be float32 in \[0, 1\], got int32/);
      expect(refused(tf.fill([1, 2, 2, 3], 255))).toThrow(
        "CLIPImageProcessor.normalize: images must be in [0, 1], got 255 at value 0",
      );
      expect(refused(tf.fill([1, 2, 2, 3], Number.NaN))).toThrow(/got NaN at value 0/);
      expect(refused(tf.fill([1, 2, 2, 3], -0.1))).toThrow(/got -0\.1/);
    });
  });

  it("read values back where the backend can at once, and nowhere else", async () => {
    tf.copyRegisteredKernels("cpu", "slow");
    tf.registerBackend("slow", () => new MathBackendCPU());
    for (const [backend, refuses] of [
      ["wasm", true],
      ["slow", false],
    ] as const) {
      if (backend === "wasm") await initialize({ device: "wasm" });
      else await tf.setBackend(backend);
      const images = tf.fill([1, 2, 2, 3], 255) as tf.Tensor4D;
      const normalize = () => new CLIPImageProcessor().normalize(images).dispose();
      if (refuses) expect(normalize).toThrow("images must be in [0, 1], got 255 at value 0");
      else expect(normalize).not.toThrow();
      images.dispose();
    }
    tf.removeBackend("slow");
    await initialize({ device: "cpu" });
  });

  it("take what float32 makes of 0 and 1, and no more", () => {
    tf.tidy(() => {
      const normalize = (value: number) => () =>
        new CLIPImageProcessor().normalize(tf.fill([1, 1, 1, 3], value) as tf.Tensor4D);
      for (const value of [-9e-6, 1 + 9e-6]) expect(normalize(value)).not.toThrow();
      for (const value of [-2e-5, 1 + 2e-5]) expect(normalize(value)).toThrow(/must be in \[0, 1\], got/);
    });
  });

  it("name missing and broken files", async () => {
    const folder = await mkdtemp(join(tmpdir(), "processor-"));
    await expect(CLIPImageProcessor.fromPretrained(folder)).rejects.toThrow(
      /CLIPImageProcessor\.fromPretrained: .*preprocessor_config\.json does not exist/,
    );
    await writeFile(join(folder, "preprocessor_config.json"), "nonsense");
    await expect(SiglipImageProcessor.fromPretrained(folder)).rejects.toThrow(/is not valid JSON/);
    await rm(join(folder, "preprocessor_config.json"));
    for (const image_processor of [null, undefined]) {
      await writeFile(join(folder, "processor_config.json"), JSON.stringify({ image_processor }));
      await expect(CLIPImageProcessor.fromPretrained(folder)).rejects.toThrow("does not exist");
    }
    await writeFile(join(folder, "processor_config.json"), JSON.stringify({ image_processor: 3 }));
    await expect(CLIPImageProcessor.fromPretrained(folder)).rejects.toThrow(
      "processor_config.json: image_processor must be an object, got 3",
    );
    await rm(folder, { recursive: true });
  });

  // AutoImageProcessor.from_pretrained of transformers 5.24.0 gives the size 336 for the first folder, and 224 for the others.
  it.each([
    [{ image_processor: { size: { shortest_edge: 336 } } }, 336],
    [{ image_processor: null }, 224],
    [{ processor_class: "CLIPProcessor" }, 224],
  ])("are those of processor_config.json before preprocessor_config.json: %j", async (nested, size) => {
    const folder = await mkdtemp(join(tmpdir(), "processor-"));
    const plain = { image_processor_type: "CLIPImageProcessor", size: 224 };
    await writeFile(join(folder, "preprocessor_config.json"), JSON.stringify(plain));
    await writeFile(join(folder, "processor_config.json"), JSON.stringify(nested));
    const processor = await CLIPImageProcessor.fromPretrained(folder);
    expect(processor.transform.resize).toEqual({ shortestEdge: size });
    await rm(folder, { recursive: true });
  });

  it.each(["clip-quick-gelu", "siglip"])(
    "with the data pipeline and %s give transformers' features of pixels",
    async (name) => {
      const golden = await readSafetensors(fixture(`${name}/from_pixels.safetensors`));
      const { encoder, processor, dispose } = await loadImageEncoder(fixture(name), { text: false });
      const features = tf.tidy(() => {
        const prepared = [0, 1, 2, 3].map((index) => {
          const image = golden[`image${index}`]!;
          const [height, width] = image.shape as [number, number, number];
          const data = Uint8Array.from(image.dataSync());
          const pixels = applyEvalTransform({ data, width, height }, processor.transform);
          expectClose(pixels.data, golden[`pixels${index}`]!, { absolute: 2e-6 });
          // The encoder's own input of pixels in [0, 1] comes to the same.
          const { normalize, ...geometry } = processor.transform;
          const plain = applyEvalTransform({ data, width, height }, geometry);
          const normalized = processor.normalize(tf.tensor4d(plain.data, [1, plain.height, plain.width, 3]));
          expectClose(normalized, pixels.data, { absolute: 2e-6 });
          expect(normalize).toBeDefined();
          return normalized;
        });
        return encoder.encodeImage(tf.concat(prepared));
      });
      expectCloseNorm(features, golden["image_embeds"]!, { relative: 1e-5 });
      tf.dispose([features, golden]);
      dispose();
    },
  );
});
