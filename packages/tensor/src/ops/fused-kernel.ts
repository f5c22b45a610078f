import * as tf from "@tensorflow/tfjs-core";

/** An op of ours as a composition of tfjs ops: what a backend without a hand-written kernel runs. */
export interface Composite {
  kernelName: string;
  /** The op that it computes the gradient of, which has none itself. */
  gradientOf?: string;
  compute: (inputs: tf.NamedTensorMap, attrs: Record<string, unknown>) => tf.Tensor | tf.Tensor[];
}

const composites: Composite[] = [];

/** Adds an op's composite; called once by the op's own file. */
export function defineComposite(composite: Composite): void {
  composites.push(composite);
  const { kernelName, gradientOf } = composite;
  if (gradientOf === undefined) return;
  tf.registerGradient({
    kernelName,
    gradFunc: () => {
      throw new Error(
        `${gradientOf}: it has first-order gradients only, and a second derivative was asked for`,
      );
    },
  });
}

/** The composite of a fused op, or undefined: what it computes on any backend, in a scope of its own. */
export function compositeOf(kernelName: string): Composite["compute"] | undefined {
  const compute = composites.find((composite) => composite.kernelName === kernelName)?.compute;
  return compute && ((inputs, attrs) => tf.tidy(() => compute(inputs, attrs)));
}

/** Gives `backendName` a composite for each fused op that it has no kernel of its own for. */
export function registerFusedKernels(backendName: string): void {
  for (const { kernelName, compute } of composites) {
    if (tf.getKernel(kernelName, backendName)) continue;
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs }) =>
        // Kernels receive tensors, and ops inside a kernel are not taped.
        tf.tidy(() => compute(inputs as tf.NamedTensorMap, attrs ?? {})) as tf.Tensor,
    });
  }
}

/** Runs a fused op on the current backend. */
export function runFused<T extends tf.Tensor | tf.Tensor[]>(
  kernelName: string,
  inputs: Record<string, tf.Tensor>,
  attrs: Record<string, unknown>,
): T {
  if (!tf.getKernel(kernelName, tf.getBackend())) registerFusedKernels(tf.getBackend());
  return tf.engine().runKernel(kernelName, inputs, attrs as tf.NamedAttrMap) as unknown as T;
}
