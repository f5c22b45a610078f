/** The functions that the fuzzer calls: those that take values from outside. Each makes one call with hostile input. */
import { readFileSync } from "node:fs";
import * as contrastive from "@dcr-js/contrastive";
import * as data from "@dcr-js/data";
import * as diffusion from "@dcr-js/diffusion";
import * as encoders from "@dcr-js/encoders";
import * as conflict from "@dcr-js/gradient-conflict";
import * as tensor from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import sharp from "sharp";

const small = { hidden_size: 8, intermediate_size: 8, num_hidden_layers: 1, num_attention_heads: 2 };
const text = { ...small, vocab_size: 20, max_position_embeddings: 5, eos_token_id: 19 };
const vision = { ...small, image_size: 8, patch_size: 4 };
const clip = { projection_dim: 4, text_config: text, vision_config: vision };
const unet = {
  block_out_channels: [8, 16],
  down_block_types: ["CrossAttnDownBlock2D", "DownBlock2D"],
  up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D"],
  layers_per_block: 1,
  cross_attention_dim: 8,
  attention_head_dim: 2,
  norm_num_groups: 4,
};
const vae = {
  block_out_channels: [8],
  down_block_types: ["DownEncoderBlock2D"],
  up_block_types: ["UpDecoderBlock2D"],
  norm_num_groups: 4,
};
const scheduler = {
  beta_schedule: "scaled_linear",
  beta_start: 0.00085,
  beta_end: 0.012,
  num_train_timesteps: 1000,
};
const processor = {
  size: { shortest_edge: 8 },
  crop_size: { height: 8, width: 8 },
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.5, 0.5, 0.5],
};

const tensors = { a: tf.tensor2d([1, 2, 3, 4], [2, 2]), b: tf.scalar(3, "int32") };
const safetensors = new Uint8Array(await tensor.serializeSafetensors(tensors));
tf.dispose(tensors);
const png = await sharp({ create: { width: 5, height: 4, channels: 3, background: "red" } })
  .png()
  .toBuffer();
const jpeg = await sharp({ create: { width: 5, height: 4, channels: 3, background: "red" } })
  .jpeg()
  .toBuffer();
const preset = JSON.parse(
  readFileSync(new URL("../../packages/encoders/fixtures/clip-gelu/config.json", import.meta.url), "utf8"),
);

/** A model is made and freed; its weights are never read. */
const construct = (Model) => (config) => new Model(config).dispose?.();

const pairLosses = [
  "infoNCE",
  "ntXent",
  "decoupled",
  "debiased",
  "hardNegative",
  "vicReg",
  "barlowTwins",
  "negativeCosine",
  "tiCo",
  "alignment",
];
const labelLosses = [
  "supCon",
  "contrastiveLoss",
  "snrContrastive",
  "tripletLoss",
  "nPairs",
  "liftedStructure",
  "generalizedLiftedStructure",
  "multiSimilarity",
  "circle",
  "margin",
  "nca",
  "angular",
  "fastAP",
  "rankedList",
  "tupletMargin",
  "ntXentFromLabels",
];
const aggregators = [
  "weightedSum",
  "randomWeighting",
  "pcgrad",
  "gradVac",
  "cagrad",
  "mgda",
  "imtlG",
  "nashMTL",
  "upgrad",
  "dualProj",
  "alignedMTL",
  "conFIG",
  "fairGrad",
  "sdmGrad",
  "krum",
  "dwa",
  "gradNorm",
  "imtlL",
  "uncertaintyWeighting",
  "stch",
  "famo",
];

/** A matrix of hostile shape and values, or something else. */
function matrix({ integer, pick, value }) {
  if (integer(8) === 0) return value();
  const shape = pick([[2, 3], [3, 3], [1, 3], [0, 3], [3, 0], [4], [2, 2, 2], [3, 3]]);
  const size = shape.reduce((a, b) => a * b, 1);
  const numbers = Array.from({ length: size }, () =>
    pick([0, 1, -1, 0.5, 1e20, -1e-20, Number.NaN, Infinity, 3, 2]),
  );
  return tf.tensor(numbers, shape, pick(["float32", "float32", "float32", "int32"]));
}
const options = ({ pick, value, integer }) => {
  const names = [
    "temperature",
    "margin",
    "reduction",
    "similarity",
    "alpha",
    "beta",
    "blockSize",
    "negatives",
    "distance",
    "topk",
    "pairs",
    "sigma",
  ];
  return Object.fromEntries(Array.from({ length: integer(3) }, () => [pick(names), value()]));
};

export const targets = {
  "tensor: parseSafetensors": ({ mutateBytes }) =>
    tf.dispose(tensor.parseSafetensors(mutateBytes(safetensors))),
  "encoders: CLIPModel": ({ mutate }) => construct(encoders.CLIPModel)(mutate(clip)),
  "encoders: CLIPModel, a whole configuration": ({ mutate }) => construct(encoders.CLIPModel)(mutate(preset)),
  "encoders: CLIPVisionModel": ({ mutate }) => construct(encoders.CLIPVisionModel)(mutate(vision)),
  "encoders: CLIPTextModel": ({ mutate }) => construct(encoders.CLIPTextModel)(mutate(text)),
  "encoders: SiglipModel": ({ mutate }) =>
    construct(encoders.SiglipModel)(mutate({ text_config: text, vision_config: vision })),
  "encoders: CLIPImageProcessor": ({ mutate }) => construct(encoders.CLIPImageProcessor)(mutate(processor)),
  "diffusion: UNet2DConditionModel": ({ mutate }) => construct(diffusion.UNet2DConditionModel)(mutate(unet)),
  "diffusion: AutoencoderKL": ({ mutate }) => construct(diffusion.AutoencoderKL)(mutate(vae)),
  "diffusion: DDPMScheduler": ({ mutate }) => construct(diffusion.DDPMScheduler)(mutate(scheduler)),
  "diffusion: DDIMScheduler": ({ mutate }) => construct(diffusion.DDIMScheduler)(mutate(scheduler)),
  "contrastive: losses of two views": (draw) =>
    tf.tidy(() => contrastive[draw.pick(pairLosses)](matrix(draw), matrix(draw), options(draw))),
  "contrastive: losses of labels": (draw) =>
    tf.tidy(() => {
      const labels = draw.integer(6)
        ? Array.from({ length: draw.pick([2, 3, 3, 4]) }, () => draw.integer(2))
        : draw.value();
      return contrastive[draw.pick(labelLosses)](matrix(draw), labels, options(draw));
    }),
  "gradient-conflict: aggregators": (draw) => {
    const aggregator = conflict[draw.pick(aggregators)](draw.integer(3) ? undefined : draw.value());
    const m = 1 + draw.integer(4);
    const gram = draw.integer(8)
      ? Array.from({ length: draw.pick([m * m, m * m, 3]) }, () =>
          draw.pick([0, 1, -1, 0.5, 1e30, 1e-30, Number.NaN, Infinity]),
        )
      : draw.value();
    const losses = Array.from({ length: m }, () => draw.pick([1, 2, 0.5, 0, -1, Number.NaN]));
    aggregator.weigh(gram, { losses, memory: draw.integer(3) ? undefined : [1, 2, 3] });
  },
  "data: decodeImage": async ({ pick, mutateBytes }) => data.decodeImage(mutateBytes(pick([png, jpeg]))),
  "data: resize": (draw) => {
    const image = {
      width: draw.pick([3, 3, 0, -1, 1e9, 2.5]),
      height: draw.pick([2, 2, 0]),
      data: new Uint8Array(draw.pick([18, 18, 5])),
    };
    data.resize(
      draw.integer(6) ? image : draw.value(),
      draw.mutate({ width: 4, height: 5, resample: "bicubic" }),
    );
  },
  "tensor: AdamW": ({ value, pick }) => {
    const parameter = new tensor.Parameter([2]);
    parameter.assign(tf.zeros([2]));
    try {
      new tensor.AdamW([parameter], {
        [pick(["learningRate", "weightDecay", "epsilon", "betas", "lr"])]: value(),
      }).dispose();
    } finally {
      parameter.dispose();
    }
  },
  "tensor: Random": ({ value }) => new tensor.Random(value()),
};
