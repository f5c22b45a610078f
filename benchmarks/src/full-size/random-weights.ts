import { type Module, type Parameter, Random } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";

/** A prime, so that rows of a matrix start at other values. */
const poolSize = 1_048_573;

/** Parameters up to this size are filled as `Module.initialize` does: norms by ones, biases by zeros. */
const smallSize = 2 ** 14;

export interface RandomWeights {
  /** Fills every parameter of a module, frozen, and sends it to the device. */
  fill(module: Module): Promise<void>;
  dispose(): void;
}

/**
 * Random weights for models of hundreds of millions of parameters. The host makes about a million normal values once; each large weight repeats them on
 * the device, times the square root of 1 / fan-in. No more than one weight in float32 is alive at a time.
 */
export function randomWeights({
  seed,
  storage,
}: {
  seed: number;
  storage: "float16" | "float32";
}): RandomWeights {
  const random = new Random(seed);
  const pool = random.fork("pool").normal([poolSize]) as tf.Tensor1D;
  const initial = (name: string, parameter: Parameter): tf.Tensor => {
    const { shape, options } = parameter;
    const size = tf.util.sizeFromShape(shape);
    if (size <= smallSize) return options.init?.(shape, random.fork(name)) ?? tf.zeros(shape);
    const scaled = tf.mul(pool, Math.sqrt(fanOut(parameter) / size));
    return tf.reshape(tf.slice(tf.tile(scaled, [Math.ceil(size / poolSize)]), 0, size), shape);
  };
  return {
    fill: async (module) => {
      module.requiresGrad(false);
      for (const [name, parameter] of module.namedParameters()) {
        if (parameter.isMaterialized) continue;
        tf.tidy(() => parameter.assign(initial(name, parameter)));
        if (storage === "float16") parameter.storeAs(storage);
        await settle(parameter);
      }
    },
    dispose: () => pool.dispose(),
  };
}

/** Linear weights are [out, in], convolutions [height, width, in, out], tables [rows, width]. */
const fanOut = ({ shape }: Parameter): number => (shape.length === 4 ? shape[3] : shape[0]);

/** Waits for the device, so that what made one weight is free before the next one. */
async function settle({ value }: Parameter): Promise<void> {
  const first = tf.tidy(() => tf.slice(tf.reshape(value, [-1]), 0, 1));
  await first.data();
  first.dispose();
}
