import * as tf from "@tensorflow/tfjs-core";
import { dropTape } from "./gradients-tape.js";

type Gradients = ReturnType<typeof tf.engine>["gradients"];

/** Every package of ours has its copy of this file, and the engine is one. */
const done = Symbol.for("dcr-js: failed gradients");

/**
 * Makes `tf.grad` and its kin free the graph where the function, or the gradient of one of its ops, throws. tfjs frees it only when the
 * gradient was taken, and no tidy frees it, since tfjs keeps what it saves.
 */
export function freeFailedGradients(): void {
  const engine = tf.engine() as unknown as { gradients: Gradients; [done]?: true };
  if (engine[done]) return;
  engine[done] = true;
  const gradients = engine.gradients.bind(engine);
  engine.gradients = ((...args: Parameters<Gradients>) => {
    try {
      // Frees the function's result where its gradient throws.
      return tf.tidy(() => gradients(...args) as never);
    } catch (error) {
      dropTape();
      throw error;
    }
  }) as Gradients;
}
