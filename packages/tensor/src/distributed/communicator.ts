import * as tf from "@tensorflow/tfjs-core";

/**
 * Joins the processes of a data-parallel run. Names and meaning are those of MPI and `torch.distributed`; one process is the
 * case of size 1, with no other code path.
 */
export interface Communicator {
  /** The number of this process, in `0..size-1`. */
  readonly rank: number;
  /** The number of processes. */
  readonly size: number;
  /** The sum of each tensor over the ranks, equal on every rank. The caller keeps the inputs and disposes the results. */
  allReduce(tensors: tf.Tensor[]): Promise<tf.Tensor[]>;
  /** The tensors of all ranks, concatenated along the first axis in the order of ranks. The caller disposes the result. */
  allGather(tensor: tf.Tensor): Promise<tf.Tensor>;
  /** Returns when every rank has called it. */
  barrier(): Promise<void>;
}

/** The communicator of a single process. */
export const singleProcess: Communicator = {
  rank: 0,
  size: 1,
  allReduce: async (tensors) => tensors.map((tensor) => tf.clone(tensor)),
  allGather: async (tensor) => tf.clone(tensor),
  barrier: async () => {},
};
