import * as tf from "@tensorflow/tfjs-core";

/** Every package of ours has its copy of this file, and the engine is one. */
const done = Symbol.for("dcr-js: tape outputs");

type AddTapeNode = (kernelName: string, inputs: object, outputs: tf.Tensor[], ...rest: unknown[]) => void;

/** Makes tfjs's tape keep a list of its own of an op's outputs: it keeps the very list that `tf.split` returned, which a caller may reverse. */
export function keepTapeOutputs(): void {
  const engine = tf.engine() as unknown as { addTapeNode: AddTapeNode; [done]?: true };
  if (engine[done]) return;
  engine[done] = true;
  const addTapeNode = engine.addTapeNode.bind(engine);
  engine.addTapeNode = (kernelName, inputs, outputs, ...rest) =>
    addTapeNode(kernelName, inputs, [...outputs], ...rest);
}
