/** Counts of the work that backend "dcr-webgpu" gave its device since it started. The difference of two counts is the cost of the code between. */
export interface WebGPUStatistics {
  dispatches: number;
  /** Batches of commands handed to the device. */
  submits: number;
  /** Tensors written to the device from the host. Uniforms do not count; each submit writes them once. */
  uploads: number;
  uploadedBytes: number;
  readbacks: number;
  /** Buffers that could not be taken from the pool. */
  buffersCreated: number;
  bytesAllocated: number;
  bindGroupsCreated: number;
  pipelinesCreated: number;
  /** Dispatches by the tfjs kernel that launched them. */
  dispatchesByKernel: Record<string, number>;
}

export const noStatistics = (): WebGPUStatistics => ({
  dispatches: 0,
  submits: 0,
  uploads: 0,
  uploadedBytes: 0,
  readbacks: 0,
  buffersCreated: 0,
  bytesAllocated: 0,
  bindGroupsCreated: 0,
  pipelinesCreated: 0,
  dispatchesByKernel: {},
});
