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
 * const reference = memory.size > 0 ? memory.reference() : undefined; // before the first push the batch itself
 * const loss = contrastiveLoss(embeddings, labels, { reference });
 * memory.push(embeddings, labels); // after the step
 */
export class CrossBatchMemory {
  readonly capacity: number;
  readonly dim: number;
  private rows?: tf.Tensor2D;
  /** The rows' labels; undefined where they were pushed without. */
  private labels?: number[];

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
    return this.rows?.shape[0] ?? 0;
  }

  /**
   * Adds rows and drops the oldest beyond the capacity. It keeps copies without gradients; the caller keeps the tensor.
   *
   * @param embeddings `[n, dim]`. @param labels `n`, at each push or at none: queues of negatives need none.
   */
  push(embeddings: tf.Tensor, labels?: Labels): void {
    const rows = tf.tidy(() => {
      const fresh = checkEmbeddings("CrossBatchMemory.push: embeddings", embeddings);
      const [n, dim] = fresh.shape;
      if (dim !== this.dim) {
        throw new Error(
          `CrossBatchMemory.push: embeddings must be [n, ${this.dim}], got [${embeddings.shape}]`,
        );
      }
      if (labels !== undefined) checkLabels("CrossBatchMemory.push: labels", labels, n);
      if (this.rows && (labels === undefined) !== (this.labels === undefined)) {
        const [now, before] = labels === undefined ? ["none", "some"] : ["some", "none"];
        throw new Error(
          `CrossBatchMemory.push: labels must be given at each push or at none, got ${now} after ${before}`,
        );
      }
      const joined = this.rows ? tf.concat([this.rows, fresh]) : fresh;
      return tf.keep(tf.slice(joined, Math.max(0, joined.shape[0] - this.capacity))) as tf.Tensor2D;
    });
    this.rows?.dispose();
    this.rows = rows;
    this.labels = labels && [...(this.labels ?? []), ...Array.from(labels)].slice(-rows.shape[0]);
  }

  /**
   * Its rows and labels as a loss takes them. The tensor is the memory's own, valid until the next `push`.
   *
   * @throws while it is empty, and where its rows were pushed without labels
   */
  reference(): Reference {
    const embeddings = this.filled("reference");
    if (!this.labels) {
      throw new Error(
        "CrossBatchMemory.reference: its rows were pushed without labels; expected some at each push",
      );
    }
    return { embeddings, labels: this.labels };
  }

  /**
   * Its rows as negatives of {@link infoNCE}, `[size, dim]`. The tensor is the memory's own, valid until the next `push`.
   *
   * @throws while it is empty
   */
  negatives(): tf.Tensor2D {
    return this.filled("negatives");
  }

  private filled(method: string): tf.Tensor2D {
    if (this.rows) return this.rows;
    throw new Error(`CrossBatchMemory.${method}: the memory is empty; push a batch first`);
  }

  /** Frees its rows. */
  dispose(): void {
    this.rows?.dispose();
    this.rows = undefined;
    this.labels = undefined;
  }
}
