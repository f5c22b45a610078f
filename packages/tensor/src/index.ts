export { Conv2d, Embedding, GroupNorm, LayerNorm, Linear } from "./nn/layers.js";
export { type LoadOptions, Module, type StateDict } from "./nn/module.js";
export { MultiHeadAttention, type MultiHeadAttentionOptions } from "./nn/multi-head-attention.js";
export { type Initializer, Parameter, type ParameterOptions } from "./nn/parameter.js";
export { type GeluVariant, gelu, silu } from "./ops/activation.js";
export { type AttentionOptions, scaledDotProductAttention } from "./ops/attention.js";
export { checkpoint } from "./ops/checkpoint.js";
export { type Conv2dOptions, conv2d, type Padding } from "./ops/conv2d.js";
export { type DropoutOptions, dropout } from "./ops/dropout.js";
export { geglu } from "./ops/geglu.js";
export { type GroupNormOptions, groupNorm } from "./ops/group-norm.js";
export { type LayerNormOptions, layerNorm } from "./ops/layer-norm.js";
export { linear } from "./ops/linear.js";
export { float16Activations, hasFloat16Storage, storageOf, storeAs } from "./ops/store-as.js";
export { upsampleNearest2d } from "./ops/upsample.js";
export { accumulateGradients } from "./optim/accumulate-gradients.js";
export { AdamW, type AdamWOptions } from "./optim/adamw.js";
export { clipGradNorm, globalNorm } from "./optim/clip-grad-norm.js";
export { type LearningRateSchedule, warmupConstant, warmupCosine } from "./optim/schedules.js";
export { valueAndGradients } from "./optim/value-and-gradients.js";
export { Random, type RandomState } from "./random.js";

import "./shared/register-gradients.js";

export { backendName as webgpuBackendName } from "./backend/webgpu/backend-name.js";
export type { KernelTime } from "./backend/webgpu/dispatch-timer.js";
export { profile } from "./backend/webgpu/profile.js";
export { registerWebGPUBackend } from "./backend/webgpu/register-backend.js";
export type { WebGPUStatistics } from "./backend/webgpu/statistics.js";
export type { FloatStorage } from "./backend/webgpu/store.js";
export { warm } from "./backend/webgpu/warm.js";
export { webgpuStatistics } from "./backend/webgpu/webgpu-statistics.js";
export {
  type DeviceChoice,
  type DeviceInfo,
  type DeviceOptions,
  deviceChoices,
  initialize,
} from "./device/initialize.js";
export { requestWebGPUDevice, type WebGPUDevice, type WebGPUDeviceOptions } from "./device/request-device.js";
export { type Communicator, singleProcess } from "./distributed/communicator.js";
export type { ReadOptions } from "./io/decode-tensor.js";
export {
  openSafetensors,
  readSafetensors,
  type SafetensorsReader,
  type WeightsReader,
  writeSafetensors,
} from "./io/files.js";
export { keepFullPrecision } from "./io/full-precision.js";
export { parseSafetensors, type SerializeOptions, serializeSafetensors } from "./io/safetensors.js";
export { type FileContents, writeFileAtomically } from "./io/write-file-atomically.js";
export { type FolderFiles, writeFolder } from "./io/write-folder.js";
export {
  choice,
  imageSide,
  layerCount,
  levels,
  multipleOf,
  timestepCount,
  tokenCount,
  tokenId,
  valueOrEqualList,
  vocabularySize,
  width,
} from "./pretrained/config-fields.js";
export type { DownloadProgress, HubOptions } from "./pretrained/hub/environment.js";
export { type ResolveOptions, resolveModel } from "./pretrained/hub/resolve-model.js";
export { loadWeights, type WeightsPlace } from "./pretrained/load-weights.js";
export { parseJsonObject, readModelFile, readModelJson } from "./pretrained/model-files.js";
export { type ConfigFormat, type ConfigOptions, keysOf, parseConfig } from "./pretrained/parse-config.js";
export {
  checkPretrainedOptions,
  type PretrainedOptions,
  resolvePretrained,
} from "./pretrained/pretrained-options.js";
export {
  type ModelFolder,
  type SavePretrainedOptions,
  saveModelFolder,
} from "./pretrained/save-model-folder.js";
export { transformersKeys } from "./pretrained/transformers-keys.js";
export { openWeights, readWeights, type WeightsOptions } from "./pretrained/weights-files.js";
export { type CheckGradientsOptions, checkGradients } from "./shared/check-gradients.js";
export type { Tolerance } from "./shared/expect-close.js";
export { l2Normalize } from "./shared/l2-normalize.js";
export type { SafetensorsDtype, SafetensorsInfo } from "./shared/safetensors-header.js";
