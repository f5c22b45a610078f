import { Random } from "@dcr-js/tensor";
import type { numpy } from "@jax-js/jax";
import * as tf from "@tensorflow/tfjs-core";

/** Which code a backend runs: our ops, or tfjs's own ops in their place. */
export type Side = "ours" | "stock";

/** A case on one backend, which is current whenever one of these runs. */
export interface Prepared {
  /** Does the work once; whoever calls disposes the tensors. */
  run: () => tf.Tensor[] | Promise<tf.Tensor[]>;
  dispose: () => void;
}

/** Something to be timed on every backend. */
export interface Case {
  name: string;
  /** Least factor over tfjs-backend-webgpu that we want, on an adapter that runs on the CPU. Default 1. */
  goal?: number;
  /** Floating-point operations, where they are the measure. */
  flops?: number;
  /** Bytes of the inputs, where they are known: with those of the outputs, the least that the device moves. */
  inputBytes?: number;
  prepare: (side: Side) => Prepared | Promise<Prepared>;
  /** The same in jax-js, on inputs as {@link hostInputs} makes them. */
  jax?: { shapes: number[][]; run: (...inputs: numpy.Array[]) => numpy.Array };
}

type Op = (...inputs: tf.Tensor[]) => tf.Tensor;

export interface OpCase extends Omit<Case, "prepare" | "inputBytes"> {
  /** Shapes of the inputs. */
  shapes: number[][];
  ours: (...inputs: tf.Tensor[]) => tf.Tensor | tf.Tensor[];
  /** Default `ours`. */
  stock?: (...inputs: tf.Tensor[]) => tf.Tensor | tf.Tensor[];
}

/** Normal values for each shape, the same in every run and on every backend. */
export const hostInputs = (shapes: number[][]): Float32Array[] =>
  shapes.map((shape, i) => new Random(i).normalArray(tf.util.sizeFromShape(shape)));

/** A case that is a function of random inputs. */
export function opCase({ shapes, ours, stock = ours, ...rest }: OpCase): Case {
  return {
    ...rest,
    inputBytes: 4 * shapes.reduce((sum, shape) => sum + tf.util.sizeFromShape(shape), 0),
    prepare: (side) => {
      const inputs = hostInputs(shapes).map((values, i) => tf.tensor(values, shapes[i]));
      const f = side === "ours" ? ours : stock;
      return { run: () => tf.tidy(() => [f(...inputs)].flat()), dispose: () => tf.dispose(inputs) };
    },
  };
}

export interface DifferentiableOp {
  name: string;
  shapes: number[][];
  /** The result's shape. */
  output: number[];
  ours: Op;
  stock?: Op;
  goals?: { forward?: number; both?: number };
  /** Operations of the forward pass. */
  flops?: number;
  /** Operations of both passes. */
  bothFlops?: number;
}

/** Two cases: an op's value, and its value with the gradients of every input. */
export function forwardAndBackward(op: DifferentiableOp): Case[] {
  const { name, shapes, output, ours, stock = ours, goals = {}, flops, bothFlops } = op;
  const gradients =
    (f: Op) =>
    (...inputs: tf.Tensor[]) =>
      tf.grads(f)(inputs.slice(0, -1), inputs[inputs.length - 1]);
  return [
    opCase({ name: `${name} forward`, shapes, ours, stock, goal: goals.forward, flops }),
    opCase({
      name: `${name} forward+backward`,
      shapes: [...shapes, output],
      ours: gradients(ours),
      stock: gradients(stock),
      goal: goals.both,
      flops: bothFlops,
    }),
  ];
}
