import { scaledDotProductAttention } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { type Case, forwardAndBackward } from "../case.js";

const [heads, width] = [8, 64];

function stock(query: tf.Tensor, key: tf.Tensor, value: tf.Tensor): tf.Tensor {
  const [batch, tokens] = query.shape;
  const [q, k, v] = [query, key, value].map((x) =>
    tf.transpose(tf.reshape(x, [batch, tokens, heads, width]), [0, 2, 1, 3]),
  );
  const probabilities = tf.softmax(tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(width)));
  return tf.reshape(tf.transpose(tf.matMul(probabilities, v), [0, 2, 1, 3]), query.shape);
}

const attention = (batch: number, tokens: number): Case[] => {
  const shape = [batch, tokens, heads * width];
  const flops = 4 * batch * heads * tokens ** 2 * width;
  return forwardAndBackward({
    name: `attention [${batch}, ${tokens}, ${heads} x ${width}]`,
    shapes: [shape, shape, shape],
    output: shape,
    ours: (q, k, v) =>
      scaledDotProductAttention(q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D, { heads }),
    stock: stock as (...inputs: tf.Tensor[]) => tf.Tensor,
    goals: { both: 5 },
    flops,
    bothFlops: 3 * flops,
  });
};

/** Each has 1,024 tokens, in fewer and longer sequences. */
export const attentionCases: Case[] = [
  attention(64, 16),
  attention(16, 64),
  attention(4, 256),
  attention(1, 1024),
].flat();
