import * as tf from "@tensorflow/tfjs-core";
import { checkLabels, type Labels, numberLabels } from "../features/check-labels.js";
import { type Features, openFeatures } from "../features/open-features.js";
import { checkFloat } from "../shared/check-float.js";
import { checkNumber, checkOptions, describe } from "../shared/check-options.js";
import { lbfgs, type Objective } from "./lbfgs.js";

export interface LogisticRegressionOptions {
  /** Inverse of the strength of the L2 penalty, scikit-learn's `C`. Default 1; above 0. */
  C?: number;
  /** Steps of L-BFGS at most. Default 1000. */
  maxIterations?: number;
  /**
   * The fit ends where no component of the mean loss's gradient is larger. Where a feature is beyond 1024, or all are below 1/1024, this is of
   * the features divided by a power of two, which brings the largest to [1, 2). Default 1e-5; above 0.
   */
  tolerance?: number;
}

/** A linear classifier of features. */
export interface LinearClassifier {
  /** The labels, in the order of the outputs. */
  classes: (number | string)[];
  /** `[dim, classes]`; `[dim, 1]` for two classes, the logit of the second. */
  weights: { data: Float32Array; shape: [number, number] };
  /** One for each output. */
  bias: Float32Array;
  C: number;
  iterations: number;
  /** Whether the optimum was reached before `maxIterations`. */
  converged: boolean;
}

/** A linear classifier's answers for rows. */
export interface Predictions {
  /** The most probable class of each row. */
  labels: (number | string)[];
  /** `[n, classes]`, in the order of the classifier's classes. */
  probabilities: Float32Array[];
}

const optionNames = { C: true, maxIterations: true, tolerance: true } as const;

/**
 * Logistic regression with an L2 penalty and an intercept, scikit-learn's: minimises `C sum(loss) + |weights|^2 / 2`, softmax for
 * three classes or more, one logit for two. L-BFGS on the host with loss and gradient on the tensor backend.
 *
 * @param features `[n, dim]`. @param labels one for each row, at least two different ones
 */
export async function logisticRegression(
  features: Features,
  labels: Labels,
  options?: LogisticRegressionOptions,
): Promise<LinearClassifier> {
  const checked = checkFitOptions("logisticRegression", options);
  const x = await openFeatures("logisticRegression: features", features);
  try {
    checkLabels("logisticRegression: labels", labels, x.shape[0]);
    return await fit("logisticRegression", x, labels, checked);
  } finally {
    x.dispose();
  }
}

/** Checks the options of a fit and fills in their defaults. */
export function checkFitOptions(
  caller: string,
  options: LogisticRegressionOptions | undefined,
): Required<LogisticRegressionOptions> {
  const { C = 1, maxIterations = 1000, tolerance = 1e-5 } = checkOptions(caller, options, optionNames);
  return {
    C: checkFloat(`${caller}: C`, C, { above: 0 }),
    maxIterations: checkNumber(`${caller}: maxIterations`, maxIterations, { min: 1, integer: true }),
    tolerance: checkFloat(`${caller}: tolerance`, tolerance, { above: 0 }),
  };
}

/** {@link logisticRegression} on features that are on the device. */
export async function fit(
  caller: string,
  x: tf.Tensor2D,
  labels: Labels,
  { C, maxIterations, tolerance }: Required<LogisticRegressionOptions>,
): Promise<LinearClassifier> {
  const classes = [...new Set(Array.from(labels))].sort((a, b) => (a < b ? -1 : 1));
  if (classes.length < 2) {
    throw new Error(`${caller}: labels must hold at least two classes, got ${classes.length}`);
  }
  const [n, dim] = x.shape;
  const outputs = classes.length === 2 ? 1 : classes.length;
  const { names, numbers } = numberLabels(labels);
  const scale = await scaleOf(x);
  const place = names.map((name) => classes.indexOf(name));
  const numbered = Int32Array.from(numbers, (number) => place[number]);
  const targets = tf.tidy(() =>
    outputs === 1
      ? (tf.tensor2d(Float32Array.from(numbered), [n, 1]) as tf.Tensor2D)
      : (tf.cast(tf.oneHot(tf.tensor1d(numbered, "int32"), outputs), "float32") as tf.Tensor2D),
  );
  const scaled = scale === 1 ? x : tf.tidy(() => tf.div<tf.Tensor2D>(x, scale));
  try {
    const objective = meanLoss({ x: scaled, targets, penalty: 1 / (C * n) / scale ** 2 });
    const found = await lbfgs(objective, new Float64Array((dim + 1) * outputs), { maxIterations, tolerance });
    return {
      classes,
      weights: {
        data: Float32Array.from(found.x.subarray(0, dim * outputs), (weight) => weight / scale),
        shape: [dim, outputs],
      },
      bias: Float32Array.from(found.x.subarray(dim * outputs)),
      C,
      iterations: found.iterations,
      converged: found.converged,
    };
  } finally {
    targets.dispose();
    if (scaled !== x) scaled.dispose();
  }
}

/**
 * Features beyond this, or all below its inverse, are divided by a power of two: the first step of L-BFGS would be too long by their square,
 * or every gradient below the tolerance.
 */
const largestFeature = 1024;
/** Weights of smaller features would be beyond float32. */
const leastScale = 2 ** -100;

/** The divisor of the features; 1 where they have usual size. */
async function scaleOf(x: tf.Tensor2D): Promise<number> {
  const most = tf.tidy(() => tf.max(tf.abs(x)));
  const [largest] = await most.data();
  most.dispose();
  const isUsual = largest === 0 || (largest <= largestFeature && largest >= 1 / largestFeature);
  return isUsual ? 1 : Math.max(leastScale, 2 ** Math.floor(Math.log2(largest)));
}

/** Mean loss plus `penalty / 2 |weights|^2`, as a function of the weights and then the biases. */
function meanLoss({
  x,
  targets,
  penalty,
}: {
  x: tf.Tensor2D;
  targets: tf.Tensor2D;
  penalty: number;
}): Objective {
  const [n, dim] = x.shape;
  const outputs = targets.shape[1];
  const size = dim * outputs;
  return async (parameters) => {
    const [losses, gradient] = tf.tidy(() => {
      const weights = tf.tensor2d(Float32Array.from(parameters.subarray(0, size)), [dim, outputs]);
      const bias = tf.tensor1d(Float32Array.from(parameters.subarray(size)));
      const logits = tf.add(tf.matMul(x, weights), bias) as tf.Tensor2D;
      const { loss, residual } = outputs === 1 ? binary(logits, targets) : multinomial(logits, targets);
      const ofWeights = tf.div(tf.matMul(x, residual, true, false), n);
      const ofBias = tf.mean(residual, 0);
      return [loss, tf.concat([tf.reshape(ofWeights, [-1]), ofBias])];
    });
    const [lossValues, gradientValues] = [await losses.data(), await gradient.data()];
    tf.dispose([losses, gradient]);
    // Summed in float64: the line search sees small falls.
    let value = 0;
    for (const loss of lossValues) value += loss;
    value /= n;
    const total = Float64Array.from(gradientValues);
    for (let i = 0; i < size; i++) {
      value += (penalty / 2) * parameters[i] ** 2;
      total[i] += penalty * parameters[i];
    }
    return { value, gradient: total };
  };
}

function multinomial(logits: tf.Tensor2D, targets: tf.Tensor2D) {
  const logProbabilities = tf.logSoftmax(logits);
  return {
    loss: tf.neg(tf.sum(tf.mul(logProbabilities, targets), 1)) as tf.Tensor1D,
    residual: tf.sub(tf.exp(logProbabilities), targets) as tf.Tensor2D,
  };
}

/** `log(1 + e^z) - y z`, in a form that does not overflow. */
function binary(logits: tf.Tensor2D, targets: tf.Tensor2D) {
  const size = tf.log1p(tf.exp(tf.neg(tf.abs(logits))));
  return {
    loss: tf.sub(tf.add(tf.relu(logits), size), tf.mul(logits, targets)),
    residual: tf.sub(tf.sigmoid(logits), targets) as tf.Tensor2D,
  };
}

/**
 * Applies a classifier.
 *
 * @param classifier of `logisticRegression`; one from a file may have lists of numbers in place of typed arrays, of which JSON makes objects
 * @param features `[n, dim]`
 * @throws on a classifier whose parts do not fit or are not finite, and on features of another width or with logits beyond float32
 *
 * @example
 * const { weights, bias, ...rest } = await logisticRegression(features, labels);
 * const data = Array.from(weights.data);
 * await writeFile(path, JSON.stringify({ ...rest, weights: { ...weights, data }, bias: Array.from(bias) }));
 * const predictions = await classify(JSON.parse(await readFile(path, "utf8")), others);
 */
export async function classify(classifier: LinearClassifier, features: Features): Promise<Predictions> {
  checkClassifier("classify: classifier", classifier);
  const x = await openFeatures("classify: features", features);
  try {
    return await predict("classify", classifier, x);
  } finally {
    x.dispose();
  }
}

function checkClassifier(name: string, classifier: LinearClassifier): void {
  const { classes, weights, bias } = (classifier ?? {}) as Partial<LinearClassifier>;
  if (!Array.isArray(classes) || classes.length < 2 || !weights || !bias) {
    throw new TypeError(`${name} must be one of logisticRegression, got ${describe(classifier)}`);
  }
  checkLabels(`${name}.classes`, classes, classes.length);
  const outputs = classes.length === 2 ? 1 : classes.length;
  const { data, shape } = weights;
  const isShape =
    Array.isArray(shape) && shape.length === 2 && Number.isSafeInteger(shape[0]) && shape[0] > 0;
  if (!isShape || shape[1] !== outputs) {
    throw new Error(
      `${name}.weights.shape must be [dim, ${outputs}] for ${classes.length} classes, got ${isShape ? `[${shape}]` : describe(shape)}`,
    );
  }
  checkList(`${name}.weights.data`, data, shape[0] * outputs);
  checkList(`${name}.bias`, bias, outputs);
}

const largestFloat32 = 3.4028234663852886e38;

/** Checks `length` numbers, of a typed array or of a list as JSON has it. */
function checkList(name: string, values: ArrayLike<number>, length: number): void {
  const isList = Array.isArray(values) || ArrayBuffer.isView(values);
  if (!isList || values.length !== length) {
    throw new TypeError(
      `${name} must hold ${length} numbers, got ${isList ? values.length : describe(values)}`,
    );
  }
  for (let i = 0; i < length; i++) {
    checkNumber(`${name}[${i}]`, values[i], { min: -largestFloat32, max: largestFloat32 });
  }
}

/** {@link classify} on features that are on the device. */
export async function predict(
  caller: string,
  { weights, bias, classes }: LinearClassifier,
  x: tf.Tensor2D,
): Promise<Predictions> {
  if (x.shape[1] !== weights.shape[0]) {
    throw new Error(
      `${caller}: features must be [n, ${weights.shape[0]}], as the classifier's were, got [${x.shape}]`,
    );
  }
  const output = tf.tidy(() => {
    const logits = tf.add(tf.matMul(x, tf.tensor2d(weights.data, weights.shape)), tf.tensor1d(bias));
    if (classes.length > 2) return tf.softmax(logits);
    return tf.concat([tf.sigmoid(tf.neg(logits)), tf.sigmoid(logits)], 1);
  });
  const flat = (await output.data()) as Float32Array;
  output.dispose();
  const count = classes.length;
  const broken = flat.findIndex((value) => Number.isNaN(value));
  if (broken >= 0) {
    throw new RangeError(
      `${caller}: the logits of row ${Math.floor(broken / count)} are not finite: its features or the weights are too large`,
    );
  }
  const probabilities = Array.from({ length: x.shape[0] }, (_, i) => flat.slice(i * count, (i + 1) * count));
  const labels = probabilities.map(
    (row) => classes[row.reduce((best, value, i) => (value > row[best] ? i : best), 0)],
  );
  return { labels, probabilities };
}
