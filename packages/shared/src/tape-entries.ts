import * as tf from "@tensorflow/tfjs-core";

/** Every package of ours has its copy of this file, and the engine is one. */
const done = Symbol.for("dcr-js: tape entries");

type Inputs = Record<string, tf.Tensor | null | undefined>;
interface Taping {
  addTapeNode(kernelName: string, inputs: Inputs, outputs: tf.Tensor[], ...rest: unknown[]): void;
  getTensorsForGradient(...given: unknown[]): (tf.Tensor | null | undefined)[] | null;
  [done]?: true;
}

/**
 * Mends two faults of tfjs's tape. It keeps the very list that `tf.split` returned, which a caller may reverse: here it gets a list of its
 * own. It fails on an input that was left out, as `scale` of `tf.batchNorm` may be: here it skips that input.
 */
export function mendTapeEntries(): void {
  const engine = tf.engine() as unknown as Taping;
  if (engine[done]) return;
  engine[done] = true;
  const addTapeNode = engine.addTapeNode.bind(engine);
  engine.addTapeNode = (kernelName, inputs, outputs, ...rest) => {
    const given = Object.entries(inputs).filter(([, x]) => x);
    addTapeNode(kernelName, Object.fromEntries(given), [...outputs], ...rest);
  };
  const tensorsFor = engine.getTensorsForGradient.bind(engine);
  engine.getTensorsForGradient = (...given) => tensorsFor(...given)?.filter(Boolean) ?? null;
}
