/** The name that our WebGPU backend has in tfjs; the official one is "webgpu", and both can live in one process. */
export const backendName = "dcr-webgpu";
