import type * as tf from "@tensorflow/tfjs-core";

/** Refuses a temperature that is not a positive number. */
export function checkTemperature(where: string, temperature: number): void {
  if (!(temperature > 0)) throw new Error(`${where}: temperature must be positive, got ${temperature}`);
}

/** Refuses anything but matrices of one shape. */
export function checkSameShape(where: string, inputs: Record<string, tf.Tensor>): void {
  const shapes = Object.values(inputs).map((x) => String(x.shape));
  if (Object.values(inputs)[0].rank === 2 && shapes.every((shape) => shape === shapes[0])) return;
  const given = Object.entries(inputs).map(([name, x]) => `${name} [${x.shape}]`);
  throw new Error(`${where}: expected tensors of one shape [n, dim], got ${given.join(", ")}`);
}

/** Refuses a batch of one, whose rows have no negatives and a constant loss. */
export function checkBatch(where: string, n: number): void {
  if (n < 2)
    throw new Error(
      `${where}: a batch of one has no negatives and a constant loss; n must be at least 2, got ${n}`,
    );
}

/** Refuses a tensor where one number is expected, rather than broadcast it. */
export function checkScalar(where: string, name: string, x: tf.Tensor | number): void {
  if (typeof x !== "number" && x.size !== 1) {
    throw new Error(`${where}: ${name} must be a number or a tensor of one value, got shape [${x.shape}]`);
  }
}
