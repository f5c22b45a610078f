import { checkLabels, type Labels, numberLabels } from "../features/check-labels.js";
import { type Features, openFeatures } from "../features/open-features.js";

export interface ClassScatter {
  /** `S_inner`: the mean squared distance of rows from their class's mean. */
  inner: number;
  /** `S_inter`: the mean squared distance of the rows' class means from the mean of all. */
  inter: number;
  /** `inter / (inner + inter)`, the share of the variance that classes explain, in [0, 1]; NaN where all rows are equal. */
  explained: number;
}

/**
 * How rows scatter within and between classes (Han et al. 2026, Theorem 1), in the space of features or of any other rows, such as
 * predicted noises laid out flat; in float64.
 *
 * @param features `[n, dim]`. @param labels the class of each row
 */
export async function classScatter(features: Features, labels: Labels): Promise<ClassScatter> {
  const x = await openFeatures("classScatter: features", features);
  try {
    const [n, dim] = x.shape;
    checkLabels("classScatter: labels", labels, n);
    const { names, numbers } = numberLabels(labels);
    const data = await x.data();
    const counts = new Float64Array(names.length);
    const mean = new Float64Array(dim);
    for (let i = 0; i < n; i++) {
      counts[numbers[i]]++;
      for (let j = 0; j < dim; j++) mean[j] += data[i * dim + j] / n;
    }
    const means = names.map(() => new Float64Array(dim));
    for (let i = 0; i < n; i++) {
      const own = means[numbers[i]];
      for (let j = 0; j < dim; j++) own[j] += data[i * dim + j] / counts[numbers[i]];
    }
    let [inner, inter] = [0, 0];
    for (let i = 0; i < n; i++) {
      const own = means[numbers[i]];
      for (let j = 0; j < dim; j++) {
        inner += (data[i * dim + j] - own[j]) ** 2 / n;
        inter += (own[j] - mean[j]) ** 2 / n;
      }
    }
    return { inner, inter, explained: inter / (inner + inter) };
  } finally {
    x.dispose();
  }
}
