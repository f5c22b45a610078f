import * as tf from "@tensorflow/tfjs-core";
import { checkNumber } from "../shared/check-options.js";
import { apartFromTape, isRecording, record, visitOps } from "../shared/gradients-tape.js";

/** Checks the option `blockSize`, which may be left out. */
export function checkBlockSize(caller: string, blockSize: number | undefined): number | undefined {
  if (blockSize === undefined) return undefined;
  return checkNumber(`${caller}: blockSize`, blockSize, { min: 1, integer: true });
}

/** Differences of rows that are in memory at a time, 32 MiB. */
export const mostDifferences = 2 ** 23;

/** How many rows of `x` leave their differences to all rows of `y`, `[rows, m, dim]`, in memory. */
export function rowsThatFit(x: tf.Tensor2D, y: tf.Tensor2D): number {
  return Math.max(1, Math.floor(mostDifferences / (y.shape[0] * x.shape[1])));
}

/**
 * Computes a function of rows a block of them at a time, forward and again backward (gradient checkpointing; Chen et al. 2016, section 4),
 * so that what it makes of a block against all others, such as a part of a similarity matrix, is in memory for one block only. Values and
 * gradients are those of all rows at once. Gradients flow to the inputs and to every other tensor that `f` reads, such as a variable in a
 * user's similarity, and they can be differentiated again.
 *
 * @param inputs `rows` are tensors of n rows, which are cut; `whole` are tensors that each block needs as they are; `blockSize` is the
 *   number of rows at once, undefined for all
 * @param f makes `[rows, ...]` of the rows `first, first + 1, ...`, and the same again when it is called again
 * @returns `[n, ...]`
 * @throws in the backward pass, where another tensor that `f` reads was disposed
 */
export function inBlocks<R extends tf.Tensor[], W extends tf.Tensor[]>(
  {
    rows,
    whole,
    blockSize,
  }: { rows: readonly [...R]; whole: readonly [...W]; blockSize: number | undefined },
  f: (rows: R, whole: W, first: number) => tf.Tensor,
): tf.Tensor {
  const n = rows[0].shape[0]!;
  if (blockSize === undefined || blockSize >= n) return f([...rows] as never, [...whole] as never, 0);
  const starts = Array.from({ length: Math.ceil(n / blockSize) }, (_, i) => i * blockSize);
  const part = (x: tf.Tensor, first: number) => tf.slice(x, first, Math.min(blockSize, n - first));
  const ofBlock = (of: readonly tf.Tensor[], all: readonly tf.Tensor[], first: number) =>
    f([...of] as never, [...all] as never, first);
  const forward = (of: readonly tf.Tensor[], all: readonly tf.Tensor[]) =>
    tf.tidy(() =>
      tf.concat(
        starts.map((first) =>
          tf.tidy(() =>
            ofBlock(
              of.map((x) => part(x, first)),
              all,
              first,
            ),
          ),
        ),
      ),
    );
  if (!isRecording()) return forward(rows, whole);
  const inputs = [...rows, ...whole];
  return tf.tidy(() => {
    // The copies are on the tape, where a second derivative looks for the inputs.
    const saved = inputs.map((x) => tf.keep(tf.clone(x)));
    const [savedRows, savedWhole] = [saved.slice(0, rows.length), saved.slice(rows.length)];
    const { result, others } = orDispose(saved, () =>
      withOthers(saved, () => forward(savedRows, savedWhole)),
    );
    const sources = [...inputs, ...others];
    record({
      kernelName: "InBlocks",
      inputs: Object.fromEntries(sources.entries()),
      outputs: [result],
      saved,
      gradient([dy]) {
        checkAlive(others);
        const needed = Object.keys(this.inputs).map(Number);
        const gradients = blockGradients(needed, dy!);
        return Object.fromEntries(needed.map((source, i) => [source, () => gradients[i]]));
      },
    });
    return result;

    /** The gradients at these of the sources. tfjs would keep those of every block until the backward pass ends. */
    function blockGradients(needed: readonly number[], dy: tf.Tensor): tf.Tensor[] {
      const ofRows = new Map<number, tf.Tensor[]>();
      const sums = new Map<number, tf.Tensor>();
      for (const first of starts) {
        const found = tf.tidy(() => {
          const own = savedRows.map((x) => part(x, first));
          const points = [...own, ...savedWhole, ...others];
          const at = needed.map((source) => points[source]);
          const differentiate = () =>
            tf.engine().gradients(() => ofBlock(own, savedWhole, first), at, part(dy, first), true).grads;
          const grads = isRecording() ? differentiate() : apartFromTape(differentiate);
          return needed.map((source, i) => {
            const gradient = grads[i] ?? tf.zeros(at[i].shape);
            const sum = sums.get(source);
            return sum ? tf.add(sum, gradient) : gradient;
          });
        });
        for (const [i, source] of needed.entries()) {
          if (source < rows.length) ofRows.set(source, [...(ofRows.get(source) ?? []), found[i]]);
          else {
            sums.get(source)?.dispose();
            sums.set(source, found[i]);
          }
        }
      }
      return needed.map((source) => sums.get(source) ?? tf.concat(ofRows.get(source)!));
    }
  });
}

/** Runs `f` off the tape. @returns its result, a tensor of its own, and the tensors that it reads besides its inputs and what it makes */
function withOthers(
  inputs: readonly tf.Tensor[],
  f: () => tf.Tensor,
): { result: tf.Tensor; others: tf.Tensor[] } {
  const known = new Set(inputs.map(({ id }) => id));
  const firstOwn = tf.scalar(0).id;
  const others = new Set<tf.Tensor>();
  const result = visitOps(f, (node) => {
    for (const x of Object.values(node.inputs)) if (x.id < firstOwn && !known.has(x.id)) others.add(x);
  });
  return { result, others: [...others] };
}

function checkAlive(tensors: readonly tf.Tensor[]): void {
  const gone = tensors.find((x) => x.isDisposed);
  if (!gone) return;
  throw new Error(
    `a loss in blocks reads a tensor [${gone.shape}] that was disposed before the backward pass; make it within the function, or keep it`,
  );
}

/** Runs `f`; where it throws, the tensors that wait for the tape to dispose them are disposed here. */
function orDispose<T>(tensors: tf.Tensor[], f: () => T): T {
  try {
    return f();
  } catch (error) {
    tf.dispose(tensors);
    throw error;
  }
}
