import * as tf from "@tensorflow/tfjs-core";
import { checkEmbeddings, checkLabels, type Labels } from "../check-embeddings.js";
import type { Reference } from "../pairs/tuple-inputs.js";
import { checkNumber, checkOptions } from "../shared/check-options.js";

/**
 * The latest rows of earlier batches, a first-in first-out queue: a cross-batch memory for losses with labels (XBM, Wang et al. 2020), or
 * MoCo's queue of negatives (He et al. 2020).
 *
 * @example
 * const memory = new CrossBatchMemory({ capacity: 4096, dim: 128 });
 * const loss = contrastiveLoss(embeddings, labels, { reference: memory.reference() });
 * memory.push(embeddings, labels); // after the step
 */
export class CrossBatchMemory {
  readonly capacity: number;
  readonly dim: number;
  private rows?: tf.Tensor2D;
  private labels: number[] = [];

  constructor(options: {
    /** Rows to keep, at least 1. */
    capacity: number;
    /** Their width, at least 1. */
    dim: number;
  }) {
    const { capacity, dim } = checkOptions("CrossBatchMemory", options, { capacity: true, dim: true });
    this.capacity = checkNumber("CrossBatchMemory: capacity", capacity, { min: 1, integer: true });
    this.dim = checkNumber("CrossBatchMemory: dim", dim, { min: 1, integer: true });
  }

  /** How many rows it holds. */
  get size(): number {
    return this.labels.length;
  }

  /**
   * Adds rows and drops the oldest beyond the capacity. It keeps copies without gradients; the caller keeps the tensor.
   *
   * @param embeddings `[n, dim]`. @param labels `n`; default 0 for queues of negatives, which need none.
   */
  push(embeddings: tf.Tensor, labels?: Labels): void {
    const n = checkEmbeddings("CrossBatchMemory.push: embeddings", embeddings).shape[0];
    if (embeddings.shape[1] !== this.dim) {
      throw new Error(
        `CrossBatchMemory.push: embeddings must be [n, ${this.dim}], got [${embeddings.shape}]`,
      );
    }
    if (labels) checkLabels("CrossBatchMemory.push: labels", labels, n);
    const all = [...this.labels, ...(labels ? Array.from(labels) : new Array<number>(n).fill(0))];
    const first = Math.max(0, all.length - this.capacity);
    const rows = tf.tidy(() => {
      const fresh = tf.cast(embeddings, "float32") as tf.Tensor2D;
      const joined = this.rows ? tf.concat([this.rows, fresh]) : fresh;
      return tf.keep(tf.slice(joined, first)) as tf.Tensor2D;
    });
    this.rows?.dispose();
    this.rows = rows;
    this.labels = all.slice(first);
  }

  /**
   * Its rows and labels as a loss takes them. The tensor is the memory's own, valid until the next `push`.
   *
   * @throws while it is empty
   */
  reference(): Reference {
    if (!this.rows) throw new Error("CrossBatchMemory.reference: the memory is empty; push a batch first");
    return { embeddings: this.rows, labels: this.labels };
  }

  /** Its rows as negatives of {@link infoNCE}, `[size, dim]`; as {@link reference}. */
  negatives(): tf.Tensor2D {
    return this.reference().embeddings as tf.Tensor2D;
  }

  /** Frees its rows. */
  dispose(): void {
    this.rows?.dispose();
    this.rows = undefined;
    this.labels = [];
  }
}
