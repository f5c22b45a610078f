import { CLIPModel } from "@dcr-js/dcr";
import { UNet2DConditionModel } from "@dcr-js/diffusion";
import { Random, valueAndGradients } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import type { Case } from "../case.js";
import { modelFolder } from "./model-folder.js";

const [batch, side, promptTokens] = [16, 8, 24];

async function loadUNet() {
  const unet = await UNet2DConditionModel.fromPretrained(modelFolder("diffusion/unet"));
  const { in_channels: channels, cross_attention_dim: width } = unet.config;
  const random = new Random(0);
  const sample = random.normal([batch, side, side, channels]) as tf.Tensor4D;
  const timesteps = random.integers([batch], 0, 1000) as tf.Tensor1D;
  return { unet, sample, timesteps, width, random };
}

const meanSquare = (x: tf.Tensor) => tf.tidy(() => tf.mean(tf.square(x)) as tf.Scalar);

/** A frozen denoiser carries a gradient to the condition, as in a DCR step. */
const unetCondition: Case = {
  name: `tiny UNet forward+backward to the condition, batch ${batch}`,
  goal: 4,
  prepare: async () => {
    const { unet, sample, timesteps, width, random } = await loadUNet();
    unet.requiresGrad(false);
    const prompt = random.normal([1, promptTokens, width]) as tf.Tensor3D;
    const h = random.normal([batch, width]);
    const loss = tf.valueAndGrad((additive: tf.Tensor) =>
      meanSquare(
        unet.forward(sample, timesteps, {
          encoderHiddenStates: prompt,
          additive: additive as tf.Tensor2D,
        }),
      ),
    );
    return {
      run: () => Object.values(loss(h)),
      dispose: () => {
        unet.dispose();
        tf.dispose([sample, timesteps, prompt, h]);
      },
    };
  },
};

/** A gradient to the model's own parameters, as in pretraining. */
const unetParameters: Case = {
  name: `tiny UNet forward+backward to its parameters, batch ${batch}`,
  goal: 4,
  prepare: async () => {
    const { unet, sample, timesteps, width, random } = await loadUNet();
    const encoderHiddenStates = random.normal([batch, promptTokens, width]) as tf.Tensor3D;
    const parameters = unet.parameters();
    return {
      run: () => {
        const { value, gradients } = valueAndGradients(
          () => meanSquare(unet.forward(sample, timesteps, { encoderHiddenStates })),
          parameters,
        );
        return [value, ...gradients];
      },
      dispose: () => {
        unet.dispose();
        tf.dispose([sample, timesteps, encoderHiddenStates]);
      },
    };
  },
};

const clip: Case = {
  name: `tiny CLIP image encoder forward+backward to its parameters, batch ${batch}`,
  prepare: async () => {
    const model = await CLIPModel.fromPretrained(modelFolder("clip"));
    const size = model.config.vision_config.image_size;
    const pixels = new Random(0).normal([batch, size, size, 3]) as tf.Tensor4D;
    const parameters = [...model.vision_model.parameters(), ...model.visual_projection.parameters()];
    return {
      run: () => {
        const { value, gradients } = valueAndGradients(
          () => meanSquare(model.encodeImage(pixels)),
          parameters,
        );
        return [value, ...gradients];
      },
      dispose: () => {
        model.dispose();
        pixels.dispose();
      },
    };
  },
};

export const modelCases: Case[] = [unetCondition, unetParameters, clip];
