import * as tf from "@tensorflow/tfjs-core";
import { Random } from "../../../random.js";
import { u32 } from "../launch.js";
import { compensationUniforms, sumWhere } from "./compensated-sum.js";
import { elementType, type Kernel, type KernelTable } from "./kernel.js";
import { cast } from "./shape.js";
import { softmaxKernels } from "./softmax.js";

/**
 * How often each number below `size` occurs, for DenseBincount in each row, or the sum of the weights that go with it. A bin is summed in the
 * order of the row, so that the result does not depend on scheduling. A negative number throws where `x` still lies on the host;
 * on the device it is not counted.
 */
const bincount =
  (name: "Bincount" | "DenseBincount"): Kernel =>
  ({ inputs: { x, weights }, attrs, backend }) => {
    const { size, binaryOutput = false } = attrs;
    if ((backend.hostValues(x.dataId) as Int32Array | null)?.some((value) => value < 0)) {
      throw new Error(`${name}: x must hold no negative numbers`);
    }
    const weighted = tf.util.sizeFromShape(weights.shape) > 0;
    const rows = name === "Bincount" ? [] : x.shape.slice(0, -1);
    const n = tf.util.sizeFromShape(x.shape.slice(rows.length));
    const output = backend.output([...rows, size], weights.dtype);
    const type = elementType(weights.dtype);
    backend.launch({
      name,
      key: `${weighted}${binaryOutput}`,
      inputs: [{ name: "x", info: x }, ...(weighted ? [{ name: "weights", info: weights }] : [])],
      outputs: [{ name: "result", info: output }],
      count: tf.util.sizeFromShape(output.shape),
      uniforms: [...compensationUniforms, u32("n", n), u32("size", size)],
      body: () => `let row = index / u.size * u.n;
  let bin = i32(index % u.size);
  ${sumWhere(type, {
    terms: weighted && !binaryOutput ? "load_weights(j)" : `${type}(1)`,
    first: "row",
    end: "row + u.n",
    condition: "i32(load_x(j)) == bin",
  })}
  store_result(index, ${binaryOutput ? `min(sum, ${type}(1))` : "sum"});`,
    });
    return output;
  };

/** Where each value would be inserted to keep its row sorted: by bisection. */
const searchSorted: Kernel = ({ inputs: { sortedSequence, values }, attrs, backend }) => {
  const output = backend.output(values.shape, "int32");
  const type = elementType(sortedSequence.dtype === values.dtype ? values.dtype : "float32");
  backend.launch({
    name: "SearchSorted",
    key: attrs.side,
    inputs: [
      { name: "sequence", info: sortedSequence },
      { name: "values", info: values },
    ],
    outputs: [{ name: "result", info: output }],
    count: tf.util.sizeFromShape(values.shape),
    uniforms: [u32("length", sortedSequence.shape.at(-1)!), u32("row", values.shape.at(-1)!)],
    body: () => `let base = index / u.row * u.length;
  let value = ${type}(load_values(index));
  var low = 0u;
  var high = u.length;
  while (low < high) {
    let middle = (low + high) / 2u;
    if (${type}(load_sequence(base + middle)) ${attrs.side === "left" ? "<" : "<="} value) { low = middle + 1u; } else { high = middle; }
  }
  store_result(index, i32(low));`,
  });
  return output;
};

/** Events drawn by their probabilities; the random numbers come from the host, one for each sample. */
const multinomial: Kernel = ({ inputs: { logits }, attrs, backend }) => {
  const { numSamples, seed, normalized } = attrs;
  const [rows, events] = logits.shape;
  const float = cast(backend, logits, "float32");
  const probabilities = normalized
    ? backend.alias(float, logits.shape)
    : (softmaxKernels["Softmax"]({ inputs: { logits: float }, attrs: { dim: -1 }, backend }) as typeof float);
  const draws = new Random(0).fork(seed).uniformArray(rows * numSamples);
  const random = backend.fromHost(draws, [rows, numSamples], "float32");
  const output = backend.output([rows, numSamples], "int32");
  backend.launch({
    name: "Multinomial",
    key: "",
    inputs: [
      { name: "probabilities", info: probabilities },
      { name: "random", info: random },
    ],
    outputs: [{ name: "result", info: output }],
    count: rows * numSamples,
    uniforms: [u32("samples", numSamples), u32("events", events)],
    body: () => `let base = index / u.samples * u.events;
  var left = load_random(index);
  var event = 0u;
  // The last event takes what rounding leaves.
  for (; event < u.events - 1u; event++) {
    left -= load_probabilities(base + event);
    if (left < 0.0) { break; }
  }
  store_result(index, i32(event));`,
  });
  backend.disposeAll(float, probabilities, random);
  return output;
};

export const countingKernels: KernelTable = {
  Bincount: bincount("Bincount"),
  DenseBincount: bincount("DenseBincount"),
  SearchSorted: searchSorted,
  Multinomial: multinomial,
};
