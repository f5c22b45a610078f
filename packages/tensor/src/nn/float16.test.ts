import { expectClose, expectCloseNorm, expectNoLeaks, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { webgpuDevice } from "../../test/test-backends.js";
import { backendName } from "../backend/webgpu/backend-name.js";
import { registerWebGPUBackend } from "../backend/webgpu/register-backend.js";
import { warm } from "../backend/webgpu/warm.js";
import type { WebGPUBackend } from "../backend/webgpu/webgpu-backend.js";
import { webgpuStatistics } from "../backend/webgpu/webgpu-statistics.js";
import "../shared/register-gradients.js";
import { parseSafetensors, serializeSafetensors } from "../io/safetensors.js";
import { gelu } from "../ops/activation.js";
import { registerFusedKernels } from "../ops/fused-kernel.js";
import { float16Activations, storageOf } from "../ops/store-as.js";
import { AdamW } from "../optim/adamw.js";
import { valueAndGradients } from "../optim/value-and-gradients.js";
import { Random } from "../random.js";
import { float16ToFloat32Array, float32ToFloat16Array } from "../shared/half-floats.js";
import { Conv2d, Embedding, GroupNorm, LayerNorm, Linear } from "./layers.js";
import { Module } from "./module.js";
import { MultiHeadAttention } from "./multi-head-attention.js";

const { device } = await webgpuDevice();

/** The parts of a UNet and a CLIP: residual convolutions, attention to tokens, and a perceptron. */
class Net extends Module {
  readonly token_embedding = new Embedding(16, 32);
  readonly conv_in = new Conv2d(4, 32, 3, { padding: 1 });
  readonly norm1 = new GroupNorm(8, 32);
  readonly conv1 = new Conv2d(32, 32, 3, { padding: 1 });
  readonly attn = new MultiHeadAttention(32, { heads: 4 });
  readonly norm2 = new LayerNorm(32);
  readonly fc1 = new Linear(32, 128);
  readonly fc2 = new Linear(128, 32);
  readonly conv_out = new Conv2d(32, 8, 1);

  forward(x: tf.Tensor4D, ids: tf.Tensor): tf.Tensor4D {
    return tf.tidy(() => {
      const h = this.conv_in.forward(x);
      const residual = tf.add(h, this.conv1.forward(this.norm1.forward(h, "silu")));
      const [batch, height, width, channels] = h.shape;
      const tokens = tf.reshape(residual, [batch, height * width, channels]) as tf.Tensor3D;
      const context = this.token_embedding.forward(ids) as tf.Tensor3D;
      const attended = tf.add(
        tokens,
        this.attn.forward(this.norm2.forward(tokens), { context }),
      ) as tf.Tensor3D;
      const y = tf.add(attended, this.fc2.forward(gelu(this.fc1.forward(attended))));
      return this.conv_out.forward(tf.reshape(y, h.shape) as tf.Tensor4D);
    });
  }
}

/** Half the distance between 1 and its neighbour in float16: what rounding moves a value by at most. */
const epsilon = 2 ** -11;

if (device?.device.features.has("shader-f16"))
  describe("float16", () => {
    let backend: WebGPUBackend;
    const bytes = () => backend.memory().numBytesInGPU;
    beforeAll(async () => {
      registerWebGPUBackend(device, { checkKeys: true });
      registerFusedKernels(backendName);
      tf.env().set("IS_TEST", true);
      await tf.setBackend(backendName);
      backend = tf.backend() as WebGPUBackend;
    });
    afterAll(() => tf.removeBackend(backendName));

    const net = () => new Net().initialize(new Random(3)).requiresGrad(false);
    const image = () => tf.tensor(normalArray(1, 2 * 16 * 16 * 4), [2, 16, 16, 4]) as tf.Tensor4D;
    const words = () => tf.tensor([3, 1, 4, 1, 5, 9, 2, 6], [2, 4], "int32");
    /** The output, and the gradient of a scalar of it at the image. */
    const run = (model: Net, f: <T>(run: () => T) => T = (inner) => inner()) =>
      tf.tidy(() => {
        const loss = (x: tf.Tensor) => {
          const y = f(() => model.forward(x as tf.Tensor4D, words()));
          return tf.sum(tf.square(y)) as tf.Scalar;
        };
        return [f(() => model.forward(image(), words())), tf.grad(loss)(image())];
      });

    it("weights take half the bytes, and compute what the rounded ones do in float32", async () => {
      await expectNoLeaks(async () => {
        const [exact, rounded] = [net(), net()];
        for (const parameter of rounded.parameters()) {
          const values = float16ToFloat32Array(
            float32ToFloat16Array((await parameter.value.data()) as Float32Array),
          );
          tf.tidy(() => parameter.assign(tf.tensor(values, parameter.shape)));
        }
        tf.dispose([run(exact), run(rounded)]);
        const both = bytes();
        const size = exact.parameters().reduce((sum, { shape }) => sum + tf.util.sizeFromShape(shape), 0);
        const half = net().storeAs("float16");
        expect(half.parameters().map(({ storage }) => storage)).toEqual(
          half.parameters().map(() => "float16"),
        );
        const outputs = [exact, rounded, half].map((model) => run(model));
        tf.dispose(outputs.slice(2).flat().slice(2));
        expect(bytes() - both - 3 * 4 * (outputs[0][0].size + outputs[0][1].size)).toBe(2 * size);
        for (const i of [0, 1]) {
          const [ofExact, ofRounded, ofHalf] = await Promise.all(outputs.map((y) => y[i].data()));
          expectCloseNorm(ofHalf, ofRounded, { relative: 1e-6 });
          // Weights of each of nine layers are off by at most epsilon of themselves.
          expectCloseNorm(ofHalf, ofExact, { relative: 2 * epsilon });
        }
        expect(outputs.flat().map(storageOf)).toEqual(outputs.flat().map(() => "float32"));
        half.storeAs("float32");
        const back = run(half);
        expect(half.conv1.weight.storage).toBe("float32");
        expectCloseNorm(await back[0].data(), await outputs[1][0].data(), { relative: 1e-6 });
        tf.dispose([outputs, back]);
        for (const model of [exact, rounded, half]) model.dispose();
      });
    });

    it("files of F16 go to the device as they are, and others rounded", async () => {
      await expectNoLeaks(async () => {
        const model = net();
        const dict = model.stateDict();
        const [half, full] = [
          await serializeSafetensors(dict, { dtype: "F16" }),
          await serializeSafetensors(dict),
        ].map(({ buffer }) => parseSafetensors(buffer, "file", { storage: "float16" }));
        const { uploadedBytes } = webgpuStatistics();
        const before = bytes();
        const [a, b] = [half, full].map((weights) => new Net().requiresGrad(false).loadStateDict(weights));
        tf.dispose([half, full]);
        const outputs = [a, b].map((loaded) => run(loaded));
        const size = model.parameters().reduce((sum, { shape }) => sum + tf.util.sizeFromShape(shape), 0);
        // Beside the weights, each run uploads two images and the seed of a gradient.
        expect(webgpuStatistics().uploadedBytes - uploadedBytes).toBeLessThan(2 * (2 * size + 35_000));
        expect(bytes() - before).toBeLessThan(2 * (2 * size + 35_000));
        expect(a.conv1.weight.storage).toBe("float16");
        for (const i of [0, 1]) expectClose(await outputs[0][i].data(), await outputs[1][i].data());
        const written = a.stateDict();
        expectCloseNorm(await written["conv1.weight"].data(), await dict["conv1.weight"].data(), {
          relative: epsilon,
        });
        tf.dispose([dict, written, outputs]);
        for (const loaded of [a, b, model]) loaded.dispose();
      });
    });

    it("weights that train are refused by name", () => {
      const model = net();
      model.fc1.weight.trainable = true;
      const bytesBefore = bytes();
      expect(() => model.storeAs("float16")).toThrow(
        'Net.storeAs: parameter "fc1.weight" is trainable, but steps would be lost in float16 storage; call requiresGrad(false) first',
      );
      expect(bytes()).toBe(bytesBefore);
      model.requiresGrad(false).storeAs("float16");
      expect(() => model.requiresGrad(true)).toThrow(
        /Parameter.trainable: a parameter of shape \[16,32\] is trainable/,
      );
      const dict = model.stateDict();
      expect(() => new Net().loadStateDict(dict)).toThrow(
        'Net.loadStateDict: weight "token_embedding.weight" is stored as float16, which a trainable parameter must not be',
      );
      expect(() => new Linear(32, 128).weight.assign(dict["fc1.weight"])).toThrow(/freeze it first/);
      const adamW = new AdamW([model.fc1.weight]);
      expect(() => adamW.step([model.fc1.weight.value])).toThrow(
        "AdamW.step: parameter 0 [128,32] is stored as float16",
      );
      adamW.dispose();
      tf.dispose(dict);
      model.dispose();
    });

    it("activations take half the bytes, within the stated error, and gradients stay float32", async () => {
      await expectNoLeaks(async () => {
        const model = net().storeAs("float16");
        const expected = run(model);
        const actual = run(model, float16Activations);
        expect(actual.map(storageOf)).toEqual(["float16", "float32"]);
        expect(actual[0].dtype).toBe("float32");
        // About twenty results in a row are each rounded; the errors of a row's elements are as good as independent.
        for (const i of [0, 1])
          expectCloseNorm(await actual[i].data(), await expected[i].data(), { relative: 4 * epsilon });
        tf.dispose([expected, actual]);
        const kept = (f: () => tf.Tensor) => {
          const before = bytes();
          const y = f();
          const taken = bytes() - before;
          y.dispose();
          return taken;
        };
        const x = image();
        const ids = words();
        const forward = () => model.forward(x, ids);
        tf.dispose(forward());
        expect(kept(() => float16Activations(forward))).toBe(kept(forward) / 2);
        tf.dispose([x, ids]);
        model.dispose();
      });
    });

    it("trains through activations stored as float16", async () => {
      await expectNoLeaks(async () => {
        const model = net();
        model.fc1.requiresGrad(true);
        const target = tf.zeros([2, 16, 16, 8]);
        const gradientsOf = (f: <T>(run: () => T) => T) =>
          valueAndGradients(
            // Gradients are float32 even where they are taken inside.
            () =>
              f(() =>
                tf.tidy(
                  () => tf.mean(tf.squaredDifference(model.forward(image(), words()), target)) as tf.Scalar,
                ),
              ),
            model.fc1.parameters(),
          );
        const expected = gradientsOf((inner) => inner());
        const actual = float16Activations(() => gradientsOf(float16Activations));
        for (const [i, gradient] of actual.gradients.entries()) {
          expect(storageOf(gradient)).toBe("float32");
          expectCloseNorm(await gradient.data(), await expected.gradients[i].data(), {
            relative: 8 * epsilon,
          });
        }
        tf.dispose([expected.gradients, expected.value, actual.gradients, actual.value, target]);
        model.dispose();
      });
    });

    it("activations follow what they are made of", () => {
      tf.tidy(() => {
        const [x, y] = [image(), tf.tensor(normalArray(2, 16), [4, 4])];
        const matrix = tf.reshape(x, [-1, 4]) as tf.Tensor2D;
        float16Activations(() => {
          const product = tf.matMul(matrix, y);
          const small = tf.tensor([1, 2, 3, 4]);
          const halves = [
            product,
            tf.add(product, small),
            tf.relu(product),
            tf.maxPool(tf.reshape(product, x.shape) as tf.Tensor4D, 2, 2, "same"),
          ];
          expect(halves.map(storageOf)).toEqual(halves.map(() => "float16"));
          const floats = [
            tf.neg(x),
            tf.add(product, matrix),
            tf.sum(product),
            tf.softmax(product),
            tf.mul(small, 2),
          ];
          expect(floats.map(storageOf)).toEqual(floats.map(() => "float32"));
          expect(tf.matMul(tf.ones([2, 2], "int32"), tf.ones([2, 2], "int32")).dtype).toBe("int32");
        });
        expect(storageOf(tf.matMul(matrix, y))).toBe("float32");
        expect(() => float16Activations(() => tf.matMul(matrix, matrix))).toThrow();
        expect(storageOf(tf.matMul(matrix, y))).toBe("float32");
        expect(() => float16Activations(async () => x)).toThrow("float16Activations: f must not be async");
      });
    });

    it("activations beyond float16 become infinities, and whole numbers stay exact", async () => {
      await expectNoLeaks(async () => {
        const [large, whole] = tf.tidy(() =>
          float16Activations(() => [
            tf.matMul(tf.tensor([[300], [-300], [1]]), tf.tensor([[300, 218]])),
            tf.matMul(tf.tensor([[4097]], [1, 1], "int32"), tf.tensor([[3]], [1, 1], "int32")),
          ]),
        );
        const inf = Number.POSITIVE_INFINITY;
        expect(await large.data()).toEqual(Float32Array.of(inf, 65408, -inf, -65408, 300, 218));
        expect(await whole.data()).toEqual(Int32Array.of(12291));
        tf.dispose([large, whole]);
      });
    });

    it("is compiled by warm", async () => {
      const model = net().storeAs("float16");
      const forward = () => run(model, float16Activations);
      await warm(forward);
      const { pipelinesCreated } = webgpuStatistics();
      tf.dispose(forward());
      expect(webgpuStatistics().pipelinesCreated).toBe(pipelinesCreated);
      model.dispose();
    });
  });
