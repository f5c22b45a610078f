import { AutoencoderKL, createUNetDenoiser, UNet2DConditionModel } from "@dcr-js/diffusion";
import { addLoRA, CLIPVisionModelWithProjection } from "@dcr-js/encoders";
import { initialize, type Module, Random, valueAndGradients } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { denoiserBackwardValues, encoderBackwardValues, vaeEncoderValues } from "./activation-memory.js";

beforeAll(() => initialize({ device: "wasm" }));

type Engine = ReturnType<typeof tf.engine>;
const { trackTensor, removeDataId } = tf.engine();

/** The most values that were held at once, beside those that were there before; each is counted once, however many tensors share it. */
function peakValues(run: () => void): number {
  const engine = tf.engine();
  const sizes = new Map<object, number>();
  let held = 0;
  let peak = 0;
  const track = vi.spyOn(engine, "trackTensor").mockImplementation(function (this: Engine, tensor, backend) {
    if (!sizes.has(tensor.dataId) && !this.state.tensorInfo.has(tensor.dataId)) {
      sizes.set(tensor.dataId, tensor.size);
      held += tensor.size;
      peak = Math.max(peak, held);
    }
    return trackTensor.call(this, tensor, backend);
  });
  const remove = vi.spyOn(engine, "removeDataId").mockImplementation(function (
    this: Engine,
    dataId,
    backend,
  ) {
    held -= sizes.get(dataId) ?? 0;
    sizes.delete(dataId);
    return removeDataId.call(this, dataId, backend);
  });
  try {
    run();
  } finally {
    track.mockRestore();
    remove.mockRestore();
  }
  return peak;
}

/** An estimate may be somewhat too large, and hardly too small. */
function expectNear(estimate: number, measured: number): void {
  expect(estimate / measured).toBeGreaterThan(0.85);
  expect(estimate / measured).toBeLessThan(1.3);
}

const random = new Random(0);
const initialized = <M extends Module>(model: M): M => model.initialize(random) as M;

describe("activation memory against measured peaks", () => {
  it.each([
    { images: 1, image: 32, width: 32, inner: 64, layers: 2, heads: 2, dropout: 0 },
    { images: 4, image: 32, width: 32, inner: 64, layers: 2, heads: 2, dropout: 0 },
    { images: 1, image: 32, width: 32, inner: 64, layers: 4, heads: 2, dropout: 0.1 },
    { images: 1, image: 64, width: 64, inner: 128, layers: 2, heads: 4, dropout: 0.1 },
    { images: 2, image: 96, width: 64, inner: 256, layers: 3, heads: 4, dropout: 0.1 },
    { images: 2, image: 32, width: 32, inner: 64, layers: 2, heads: 2, dropout: 0, checkpointing: true },
    { images: 1, image: 64, width: 64, inner: 128, layers: 6, heads: 4, dropout: 0.1, checkpointing: true },
    { images: 2, image: 64, width: 32, inner: 128, layers: 12, heads: 4, dropout: 0, checkpointing: true },
  ])(
    "of the encoder, $images images, width $width, inner $inner, $layers layers, dropout $dropout, checkpointing $checkpointing",
    async (shape) => {
      const { images, image, width, inner, layers, heads, dropout, checkpointing = false } = shape;
      const encoder = initialized(
        new CLIPVisionModelWithProjection({
          hidden_size: width,
          intermediate_size: inner,
          num_hidden_layers: layers,
          num_attention_heads: heads,
          image_size: image,
          patch_size: 8,
          projection_dim: 16,
        }),
      );
      const lora = addLoRA(encoder, { rank: 2, alpha: 2, dropout, bias: "lora_only" });
      encoder.train(true);
      encoder.enableGradientCheckpointing(checkpointing);
      const pixels = random.normal([images, image, image, 3]) as tf.Tensor4D;
      const measured = peakValues(() => {
        const { value, gradients } = valueAndGradients(
          () => tf.tidy(() => tf.sum(encoder.encodeImage(pixels)) as tf.Scalar),
          lora.parameters(),
        );
        tf.dispose([value, gradients] as tf.TensorContainer);
      });
      const sizes = { tokens: (image / 8) ** 2 + 1, width, inner, layers };
      expectNear(encoderBackwardValues(sizes, { images, dropout: dropout > 0, checkpointing }), measured);
      tf.dispose(pixels);
      encoder.dispose();
    },
  );

  it.each([
    { rows: 1, side: 8, widths: [16, 32], layers: 1, condition: 32 },
    { rows: 3, side: 8, widths: [16, 32], layers: 1, condition: 32 },
    { rows: 2, side: 16, widths: [8, 16], layers: 2, condition: 32 },
    { rows: 1, side: 16, widths: [8, 16, 16], layers: 1, condition: 32 },
    { rows: 2, side: 16, widths: [32, 64], layers: 2, condition: 64 },
    { rows: 2, side: 8, widths: [16, 32], layers: 1, condition: 32, checkpointing: true },
    { rows: 1, side: 16, widths: [8, 16, 16], layers: 2, condition: 32, checkpointing: true },
    { rows: 2, side: 16, widths: [32, 64], layers: 2, condition: 64, checkpointing: true },
  ])(
    "of the denoiser, $rows rows of $side x $side, widths $widths, checkpointing $checkpointing",
    async ({ rows, side, widths, layers, condition, checkpointing = false }) => {
      const last = widths.length - 1;
      const unet = initialized(
        new UNet2DConditionModel({
          block_out_channels: widths,
          layers_per_block: layers,
          cross_attention_dim: condition,
          attention_head_dim: 4,
          norm_num_groups: 4,
          use_linear_projection: true,
          down_block_types: widths.map((_, i) => (i < last ? "CrossAttnDownBlock2D" : "DownBlock2D")),
          up_block_types: widths.map((_, i) => (i > 0 ? "CrossAttnUpBlock2D" : "UpBlock2D")),
        }),
      );
      const denoiser = createUNetDenoiser(unet, random.normal([1, 77, condition]) as tf.Tensor3D);
      denoiser.enableGradientCheckpointing!(checkpointing);
      const noisy = random.normal([rows, side, side, 4]) as tf.Tensor4D;
      const prepared = denoiser.prepare(noisy, new Int32Array(rows).fill(5));
      const conditions = random.normal([rows, condition]);
      const numbers = Int32Array.from({ length: rows }, (_, i) => i);
      const gradient = () =>
        tf
          .grad((x) => tf.sum(denoiser.predict(prepared, numbers, x)))(conditions)
          .dispose();
      // The first pass keeps what depends on the weights only.
      gradient();
      const measured = peakValues(gradient);
      const estimate = denoiserBackwardValues(unet.config, { rows, side, checkpointing });
      expectNear(estimate, measured);
      tf.dispose([noisy, conditions]);
      prepared.dispose();
      denoiser.dispose();
      unet.dispose();
    },
  );

  it("of the VAE", async () => {
    const vae = initialized(
      new AutoencoderKL({
        block_out_channels: [16, 16, 32, 32],
        down_block_types: Array(4).fill("DownEncoderBlock2D"),
        up_block_types: Array(4).fill("UpDecoderBlock2D"),
        layers_per_block: 2,
        norm_num_groups: 4,
      }),
    );
    const image = random.normal([1, 64, 64, 3]) as tf.Tensor4D;
    const measured = peakValues(() => tf.dispose(tf.tidy(() => vae.encode(image) as never)));
    expectNear(vaeEncoderValues(16, 64), measured);
    image.dispose();
    vae.dispose();
  });
});
