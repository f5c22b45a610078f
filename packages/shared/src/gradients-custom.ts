import * as tf from "@tensorflow/tfjs-core";
import { isRecording, refuseSecondOrder, relinkOutputs } from "./gradients-tape.js";

type Custom = Parameters<typeof tf.customGrad>[0];

/** Every package of ours has its copy of this file, and the engine is one. */
const done = Symbol.for("dcr-js: custom gradients");

/**
 * Makes the second derivative of `tf.customGrad`, and of tfjs's ops that are made of it, right or an error: its function runs apart
 * from the tape, which takes what it saves, its inputs excepted, for constants.
 */
export function guardCustomGradients(): void {
  const engine = tf.engine() as unknown as {
    customGrad(f: Custom): ReturnType<typeof tf.customGrad>;
    [done]?: true;
  };
  if (engine[done]) return;
  engine[done] = true;
  const customGrad = engine.customGrad.bind(engine);
  engine.customGrad = (f) =>
    customGrad((...args) => {
      const inputs = args.slice(0, -1) as tf.Tensor[];
      const save = args.at(-1) as unknown as tf.GradSaveFunc;
      const firstOwn = tf.tidy(() => tf.scalar(0).id);
      let saved: tf.Tensor[] = [];
      const noted: tf.GradSaveFunc = (tensors) => {
        saved = tensors;
        save(tensors);
      };
      const { value, gradFunc } = f(...inputs, noted as unknown as tf.Tensor);
      const isOutput = saved.map(({ id }) => id === value.id);
      const isLost = saved.some(({ id }, i) => id >= firstOwn && !isOutput[i]);
      return {
        value,
        gradFunc: (dy, copies) => {
          if (!isRecording()) return gradFunc(dy, copies);
          const gradients = gradFunc(
            dy,
            relinkOutputs(copies, (i) => isOutput[i] ?? false),
          );
          if (isLost) refuseSecondOrder("customGrad", [gradients].flat(), [...inputs, dy]);
          return gradients;
        },
      };
    });
}
