import * as tf from "@tensorflow/tfjs-core";
import { checkEmbeddingsList, checkOptionalTensor } from "../check-embeddings.js";
import { logProbabilities, probabilities } from "../math/probabilities.js";
import { stopGradient } from "../math/stop-gradient.js";
import { checkFloat } from "../shared/check-float.js";
import { checkNumber, checkOptions, describe } from "../shared/check-options.js";

export interface DINOOptions {
  /** Subtracted from the teacher's outputs, `[dim]`; see {@link updateCenter}. Default zeros. */
  center?: tf.Tensor;
  /** Greater than 0. Default 0.04. */
  teacherTemperature?: number;
  /** Greater than 0. Default 0.1. */
  studentTemperature?: number;
}

/**
 * DINO (Caron et al. 2021, eq. 3): cross entropy of the teacher's centred and sharpened distribution and the student's, over all pairs
 * of different views. View i of the teacher is view i of the student. No gradient flows to the teacher.
 *
 * @param views `student` and `teacher`: for each view a tensor `[n, dim]`; the teacher has the global views, the student these first and
 *   then its local ones
 * @returns a scalar, the mean over pairs of views and rows; the caller disposes it
 */
export function dino(
  views: { student: tf.Tensor[]; teacher: tf.Tensor[] },
  options: DINOOptions = {},
): tf.Scalar {
  const { student, teacher } = checkOptions("dino", views, { student: true, teacher: true });
  const {
    center,
    teacherTemperature = 0.04,
    studentTemperature = 0.1,
  } = checkOptions<DINOOptions>("dino", options, {
    center: true,
    teacherTemperature: true,
    studentTemperature: true,
  });
  checkFloat("dino: teacherTemperature", teacherTemperature, { above: 0 });
  checkFloat("dino: studentTemperature", studentTemperature, { above: 0 });
  return tf.tidy(() => {
    const students = checkEmbeddingsList("dino: student", student);
    const teachers = checkEmbeddingsList("dino: teacher", teacher);
    checkNumber("dino: student views", students.length, { min: 2, integer: true });
    checkNumber("dino: teacher views", teachers.length, { min: 1, max: students.length, integer: true });
    const [n, dim] = students[0].shape;
    for (const x of [...students, ...teachers]) {
      if (x.shape[0] !== n || x.shape[1] !== dim) {
        throw new Error(`dino: expected views of one shape, got [${n},${dim}] and [${x.shape}]`);
      }
    }
    const mean = checkOptionalTensor("dino: center", center, [dim]);
    const targets = teachers.map((x) => {
      const centered = mean ? tf.sub(x, mean) : x;
      return stopGradient(probabilities(centered, teacherTemperature));
    });
    const predictions = students.map((x) => logProbabilities(x, studentTemperature));
    const pairs = teachers.length * (students.length - 1);
    const terms = targets.flatMap((target, t) => {
      // Divided first: the sum of large terms may be beyond float32 where their mean is not.
      const share = tf.div(target, -pairs * n);
      return predictions.filter((_, s) => s !== t).map((prediction) => tf.sum(tf.mul(share, prediction)));
    });
    return tf.addN(terms) as tf.Scalar;
  });
}

/**
 * The center for the next step, `momentum center + (1 - momentum) mean of the teacher's outputs` (Caron et al. 2021, eq. 4).
 *
 * @param center `[dim]`. @param teacher for each view `[n, dim]`.
 * @returns `[dim]`, a new tensor; the caller disposes it and the old one
 */
export function updateCenter(
  center: tf.Tensor,
  teacher: tf.Tensor[],
  options: {
    /** Share of the old center, in [0, 1]. Default 0.9. */
    momentum?: number;
  } = {},
): tf.Tensor1D {
  const { momentum = 0.9 } = checkOptions("updateCenter", options, { momentum: true });
  checkFloat("updateCenter: momentum", momentum, { min: 0, max: 1 });
  return tf.tidy(() => {
    const rows = tf.concat(checkEmbeddingsList("updateCenter: teacher", teacher));
    if (!(center instanceof tf.Tensor) || String(center.shape) !== String([rows.shape[1]])) {
      const got = center instanceof tf.Tensor ? `[${center.shape}]` : describe(center);
      throw new Error(`updateCenter: center must be [${rows.shape[1]}], got ${got}`);
    }
    return tf.add(
      tf.mul(center, momentum),
      tf.sum(tf.mul(rows, (1 - momentum) / rows.shape[0]), 0),
    ) as tf.Tensor1D;
  });
}
