import * as tf from "@tensorflow/tfjs-core";
import { checkNumber, checkOptions } from "../shared/check-options.js";
import { checkFloatTensors } from "./check-float-tensors.js";
import { defineComposite, runFused } from "./fused-kernel.js";

export interface AttentionOptions {
  /** Number of heads `H`; the last axis is `H * D`, head-major as in PyTorch. */
  heads: number;
  /** Factor on the scores. Default `1 / sqrt(D)`. */
  scale?: number;
  /** Whether token i sees only tokens 0..i. Default false. */
  causal?: boolean;
}

/**
 * Scaled dot-product attention, `softmax(Q K^T * scale) V` for each head (Vaswani et al. 2017, eq. 1).
 *
 * Heads stay interleaved in the last axis, so no transpose is needed around it.
 *
 * @param query `[batch, queries, heads * D]`.
 * @param key `[batch or 1, keys, heads * D]`; a batch of 1 is shared by every query, and its gradient sums.
 * @param value shaped as `key`.
 * @returns `[batch, queries, heads * D]`; the caller disposes it. First-order gradients only.
 */
export function scaledDotProductAttention(
  query: tf.Tensor3D,
  key: tf.Tensor3D,
  value: tf.Tensor3D,
  options: AttentionOptions,
): tf.Tensor3D {
  const names = { heads: true, scale: true, causal: "boolean" } as const;
  const { heads, causal = false, scale: given } = checkOptions("scaledDotProductAttention", options, names);
  checkNumber("scaledDotProductAttention: heads", heads, { min: 1, integer: true });
  checkFloatTensors("scaledDotProductAttention", { query, key, value });
  const [batch, queries, width] = query.shape;
  if (query.rank !== 3 || width % heads !== 0) {
    throw new Error(
      `scaledDotProductAttention: query must be [batch, tokens, heads * D] with heads = ${heads}, got [${query.shape}]`,
    );
  }
  if (
    key.rank !== 3 ||
    !tf.util.arraysEqual(key.shape, value.shape) ||
    key.shape[2] !== width ||
    (key.shape[0] !== batch && key.shape[0] !== 1)
  ) {
    throw new Error(
      `scaledDotProductAttention: key and value must be [${batch} or 1, tokens, ${width}], got [${key.shape}] and [${value.shape}]`,
    );
  }
  if (causal && key.shape[1] !== queries) {
    throw new Error(
      `scaledDotProductAttention: causal needs as many keys as queries, got ${key.shape[1]} and ${queries}`,
    );
  }
  const scale = checkNumber("scaledDotProductAttention: scale", given ?? 1 / Math.sqrt(width / heads));
  return tf.tidy(
    () =>
      runFused<tf.Tensor3D[]>(
        "ScaledDotProductAttention",
        { query, key, value },
        { heads, scale, causal },
      )[0],
  );
}

interface Attributes {
  heads: number;
  scale: number;
  causal: boolean;
}

/** `[B, T, H*D]` to `[B, H, T, D]`; a batch of 1 is repeated to `batch`. */
function splitHeads(x: tf.Tensor, heads: number, batch: number): tf.Tensor4D {
  const [own, tokens, width] = x.shape;
  const split = tf.transpose(tf.reshape(x, [own, tokens, heads, width / heads]), [0, 2, 1, 3]);
  return (own === batch ? split : tf.tile(split, [batch, 1, 1, 1])) as tf.Tensor4D;
}

/** `[B, H, T, D]` to `[B or 1, T, H*D]`, summing over the batch where the operand was shared. */
function mergeHeads(x: tf.Tensor, shared: boolean): tf.Tensor {
  const whole = shared ? tf.sum(x, 0, true) : x;
  const [batch, heads, tokens, depth] = whole.shape;
  return tf.reshape(tf.transpose(whole, [0, 2, 1, 3]), [batch, tokens, heads * depth]);
}

function scores(query: tf.Tensor, key: tf.Tensor, { scale, causal }: Attributes): tf.Tensor {
  const raw = tf.mul(tf.matMul(query, key, false, true), scale);
  if (!causal) return raw;
  const [queries, keys] = raw.shape.slice(-2);
  const visible = tf.greaterEqual(tf.reshape(tf.range(0, queries), [-1, 1]), tf.range(0, keys));
  return tf.where(visible, raw, -Infinity);
}

/** Returns the output, and each row's shift and factor: a probability is `exp(score - shift) * factor`. `[2, batch, heads, queries]`, shifts first. */
defineComposite({
  kernelName: "ScaledDotProductAttention",
  compute: ({ query, key, value }, attrs) => {
    const attributes = attrs as unknown as Attributes;
    const [batch] = query.shape;
    const [q, k, v] = [query, key, value].map((x) => splitHeads(x, attributes.heads, batch));
    const s = scores(q, k, attributes);
    const shift = tf.max(s, -1, true);
    const shares = tf.exp(tf.sub(s, shift));
    const factor = tf.reciprocal(tf.sum(shares, -1, true));
    const rows = tf.stack([shift, factor].map((x) => tf.squeeze(x, [-1])));
    return [mergeHeads(tf.mul(tf.matMul(shares, v), factor), false), rows];
  },
});

/** Probabilities and the gradient of the scores, which each of the three gradients starts from. */
function backward(inputs: tf.NamedTensorMap, attributes: Attributes) {
  const { query, key, value, output, rows, dy } = inputs;
  const [batch] = query.shape;
  const [q, k, v, dOut] = [query, key, value, dy].map((x) => splitHeads(x, attributes.heads, batch));
  const [shift, factor] = tf.unstack(tf.expandDims(rows, -1));
  const probabilities = tf.mul(tf.exp(tf.sub(scores(q, k, attributes), shift)), factor);
  const dScores = () => {
    const dProbabilities = tf.matMul(dOut, v, false, true);
    // The softmax's inner product sum_j P_ij dP_ij equals out_i . dOut_i, which needs no N x N sum.
    const inner = tf.sum(tf.mul(splitHeads(output, attributes.heads, batch), dOut), -1, true);
    return tf.mul(tf.mul(probabilities, tf.sub(dProbabilities, inner)), attributes.scale);
  };
  return { q, k, dOut, probabilities, dScores, shared: key.shape[0] !== batch };
}

defineComposite({
  kernelName: "ScaledDotProductAttentionGradQuery",
  gradientOf: "ScaledDotProductAttention",
  compute: (inputs, attrs) => {
    const { k, dScores } = backward(inputs, attrs as unknown as Attributes);
    return mergeHeads(tf.matMul(dScores(), k), false);
  },
});

defineComposite({
  kernelName: "ScaledDotProductAttentionGradKey",
  gradientOf: "ScaledDotProductAttention",
  compute: (inputs, attrs) => {
    const { q, dScores, shared } = backward(inputs, attrs as unknown as Attributes);
    return mergeHeads(tf.matMul(dScores(), q, true, false), shared);
  },
});

defineComposite({
  kernelName: "ScaledDotProductAttentionGradValue",
  gradientOf: "ScaledDotProductAttention",
  compute: (inputs, attrs) => {
    const { dOut, probabilities, shared } = backward(inputs, attrs as unknown as Attributes);
    return mergeHeads(tf.matMul(probabilities, dOut, true, false), shared);
  },
});

/** The last matrices of `gradientMatrices`. The value's gradient frees them; where nobody asks for it, the next call does. */
let unused: tf.Tensor[] = [];

/**
 * Room for probabilities and the gradient of the scores, for the gradients of one attention to share; none on a backend that
 * computes each gradient by itself. Made in the scope of the whole backward pass, whose end disposes it at the latest.
 */
function gradientMatrices(inputs: Record<string, tf.Tensor>, attrs: Record<string, unknown>): tf.Tensor[] {
  const kernel = "ScaledDotProductAttentionGradMatrices";
  tf.dispose(unused);
  unused = tf.getKernel(kernel, tf.getBackend()) ? runFused<tf.Tensor[]>(kernel, inputs, attrs) : [];
  return unused;
}

tf.registerGradient({
  kernelName: "ScaledDotProductAttention",
  inputsToSave: ["query", "key", "value"],
  outputsToSave: [true, true],
  gradFunc: (dys, saved, attrs) => {
    const dy = (Array.isArray(dys) ? dys[0] : dys) as tf.Tensor;
    const [query, key, value, output, rows] = saved;
    const inputs = { query, key, value, output, rows, dy };
    const attributes = attrs as Record<string, unknown>;
    const matrices = gradientMatrices(inputs, attributes);
    let filled = false;
    // tfjs asks for those that it needs in the order of the inputs: only the value's, the last, needs no gradient of scores.
    const run = (which: "Query" | "Key" | "Value") => () => {
      const shares = matrices.length > 0 && (filled || which !== "Value");
      const [probabilities, dScores] = matrices;
      const gradient = runFused<tf.Tensor>(
        `ScaledDotProductAttentionGrad${which}`,
        shares ? { ...inputs, probabilities, dScores } : inputs,
        { ...attributes, filled },
      );
      filled ||= shares;
      if (which === "Value") tf.dispose(matrices);
      return gradient;
    };
    return { query: run("Query"), key: run("Key"), value: run("Value") };
  },
});
