import * as tf from "@tensorflow/tfjs-core";

/** One entry of tfjs's gradient tape, as `dist/tape.d.ts` of tfjs-core 4 declares it. */
export interface TapeNode {
  id: number;
  kernelName: string;
  inputs: tf.NamedTensorMap;
  outputs: tf.Tensor[];
  /**
   * The gradient at each input by its name. tfjs calls it on a copy of the node whose `inputs` are those that need a gradient, and
   * passes null for an output that the result does not depend on.
   */
  gradient?(this: TapeNode, dys: (tf.Tensor | null)[]): Record<string, () => tf.Tensor>;
  /** tfjs disposes them with the tape. */
  saved: tf.Tensor[];
}

/** The part of tfjs's engine state that differentiation uses. */
interface TapeState {
  activeTape: Pick<TapeNode[], "push" | "findLast" | "forEach"> | undefined | null;
  gradientDepth: number;
  kernelDepth: number;
  nextTapeNodeId: number;
}

const state = () => tf.engine().state as unknown as TapeState;

/** Whether ops are being recorded to be differentiated. */
export function isRecording(): boolean {
  const { gradientDepth, kernelDepth } = state();
  return gradientDepth > 0 && kernelDepth === 0;
}

/** Adds a node of our own to the tape. */
export function record(node: Omit<TapeNode, "id">): void {
  const { activeTape } = state();
  if (!activeTape) throw new Error(`${node.kernelName}: no gradient is being recorded`);
  activeTape.push({ id: state().nextTapeNodeId++, ...node, outputs: [...node.outputs] });
}

/** Runs `f` and shows each of its ops to `visit`; none is recorded, and what an op saved for its gradient is freed at once. */
export function visitOps<T>(f: () => T, visit: (node: TapeNode) => void): T {
  const before = state().activeTape;
  state().activeTape = {
    push: (node) => {
      visit(node);
      tf.dispose(node.saved);
      return 0;
    },
    findLast: () => undefined,
    forEach: () => {},
  };
  try {
    return f();
  } finally {
    state().activeTape = before;
  }
}

/** Runs `f` without recording its ops. */
export const unrecorded = <T>(f: () => T): T => visitOps(f, () => {});

/** Frees what the tape saved, unless an outer gradient still needs it. */
export function dropTape(): void {
  const { activeTape, gradientDepth } = state();
  if (gradientDepth > 0) return;
  activeTape?.forEach(({ saved }) => {
    tf.dispose(saved);
  });
  state().activeTape = null;
}

/** Runs `f`, which differentiates by itself, beside the tape that is being recorded or read. */
export function apartFromTape<T>(f: () => T): T {
  const { activeTape, gradientDepth, kernelDepth } = state();
  Object.assign(state(), { activeTape: null, gradientDepth: 0, kernelDepth: 0 });
  try {
    return f();
  } finally {
    Object.assign(state(), { activeTape, gradientDepth, kernelDepth });
  }
}

/**
 * Saved outputs of an op, as its gradient may read them while the tape goes on: tfjs records the copies that it saves before the op
 * itself, so that a second derivative takes them for constants.
 */
export function relinkOutputs(saved: tf.Tensor[], isOutput: (i: number) => boolean): tf.Tensor[] {
  const { activeTape } = state();
  return saved.map((copy, i) => {
    const node = isOutput(i) ? activeTape?.findLast(({ outputs }) => outputs.includes(copy)) : undefined;
    if (!node) return copy;
    const linked = unrecorded(() => tf.clone(copy));
    record({
      kernelName: "Identity",
      inputs: node.inputs,
      outputs: [linked],
      saved: [],
      gradient: ([dy]) => ({ x: () => tf.clone(dy!) }),
    });
    return linked;
  });
}

/** Makes a derivative of `gradients` an error, where the tape goes on and would take them for constants. */
export function refuseSecondOrder(op: string, gradients: tf.Tensor[], sources: tf.Tensor[]): void {
  if (!isRecording()) return;
  record({
    kernelName: `${op}Grad`,
    inputs: Object.fromEntries(sources.entries()),
    outputs: gradients,
    saved: [],
    gradient() {
      throw new Error(`${op}: it has first-order gradients only, and a second derivative was asked for`);
    },
  });
}
